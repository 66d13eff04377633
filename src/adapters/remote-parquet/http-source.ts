import type { Dispatcher } from 'undici'
import { PipelineError } from '../../domain/errors.js'
import type { ObjectVersion, RangeSource } from '../../domain/ports/range-source.js'
import { whole } from './store-source.js'

type Answer = { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: Buffer }

const TRIES = 3
const PAUSE_MS = 200

/**
 * A Parquet file at an `http://` or `https://` address whose server answers ranges and gives strong ETags: without one
 * there is no telling whether two ranges are of the same file.
 */
export function httpSource(address: string, dispatcher: Dispatcher): RangeSource {
  const url = parse(address)
  const id = `${url.origin}${url.pathname}`
  const ask = askerOf(url, dispatcher, id)
  return {
    id,
    planned: null,
    head: async (signal) => versionOf(await ask('HEAD', {}, signal), id),
    tail: async (bytes, signal) => {
      const answer = await ask('GET', { range: `bytes=-${bytes}` }, signal)
      return { version: versionOf(answer, id), tail: answer.body }
    },
    read: async ({ start, end, version, signal }) => {
      const answer = await ask('GET', { range: `bytes=${start}-${end - 1}`, 'if-match': version.etag }, signal)
      const now = versionOf(answer, id)
      if (now.etag !== version.etag || now.bytes !== version.bytes) throw replaced(id)
      const from = answer.status === 200 ? start : 0
      return whole(answer.body.subarray(from, from + end - start), { start, end, at: id })
    },
  }
}

function parse(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : null
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  throw new PipelineError('BAD_USAGE', 'this is no http or https address', {
    do: 'use one like https://host/file.parquet',
  })
}

function askerOf(url: URL, dispatcher: Dispatcher, id: string) {
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  const always = {
    'accept-encoding': 'identity',
    ...(user === ':' ? {} : { authorization: `Basic ${Buffer.from(user).toString('base64')}` }),
  }
  const once = async (method: 'GET' | 'HEAD', headers: object, signal: AbortSignal): Promise<Answer> => {
    try {
      const answer = await dispatcher.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method,
        signal,
        headers: { ...always, ...headers },
      })
      const body = Buffer.from(await answer.body.arrayBuffer())
      const named = Object.entries(answer.headers).map(([name, value]) => [
        name,
        Array.isArray(value) ? value[0] : value,
      ])
      return { status: answer.statusCode, headers: Object.fromEntries(named) as Record<string, string>, body }
    } catch (thrown) {
      signal.throwIfAborted()
      throw new PipelineError('STORE_UNREACHABLE', 'it cannot be reached, or ended in mid-answer', { at: id }, thrown)
    }
  }
  return async (method: 'GET' | 'HEAD', headers: object, signal: AbortSignal): Promise<Answer> => {
    for (let tries = 1; ; tries++) {
      try {
        return good(await once(method, headers, signal), id)
      } catch (thrown) {
        const again = thrown instanceof PipelineError && thrown.code === 'STORE_UNREACHABLE' && tries < TRIES
        if (!again) throw thrown
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * tries))
      }
    }
  }
}

/** A redirect is not followed: it would lead to a host that nobody named. */
function good(answer: Answer, id: string): Answer {
  const { status } = answer
  if (status === 200 || status === 206) return answer
  if (status === 404) throw new PipelineError('OBJECT_ABSENT', 'there is no such object', { at: id })
  if (status === 412) throw replaced(id)
  if (status === 416) throw new PipelineError('OBJECT_CORRUPT', 'it is shorter than it was said to be', { at: id })
  const unreachable = status >= 500 || status === 429
  throw new PipelineError(unreachable ? 'STORE_UNREACHABLE' : 'BAD_USAGE', `the server answers ${status}`, {
    at: id,
    status,
  })
}

const replaced = (id: string): PipelineError =>
  new PipelineError('PRECONDITION_FAILED', 'another object is there now', { at: id, do: 'ask again' })

function versionOf({ status, headers }: Answer, id: string): ObjectVersion {
  const etag = headers['etag'] ?? ''
  const length = status === 206 ? /\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1] : headers['content-length']
  if (etag === '' || etag.startsWith('W/') || length === undefined) {
    throw new PipelineError('BAD_USAGE', 'its server gives no strong ETag, or no length', {
      at: id,
      do: 'download the file, then query it',
    })
  }
  return { etag, bytes: Number(length) }
}
