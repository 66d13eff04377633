import { setTimeout as pause } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import { PipelineError } from '../../domain/errors.js'
import type { ObjectVersion, RangeSource } from '../../domain/ports/range-source.js'
import { authorizationOf } from '../../domain/url-credentials.js'
import { cacheIdOf, parseHttpAddress } from './http-address.js'
import { bodyOf, checkLength, dropBody, failureOf, headOf, replaced, versionOf } from './http-answer.js'
import { whole } from './store-source.js'

type Ask = {
  readonly method: 'GET' | 'HEAD'
  readonly headers?: Readonly<Record<string, string>>
  readonly wantBytes: number
  /** Any other version is refused before its bytes are read. */
  readonly version?: ObjectVersion
  readonly signal: AbortSignal
}
type Answer = { readonly status: number; readonly version: ObjectVersion; readonly body: Buffer }

const TRIES = 3
const PAUSE_MS = 200
/** What a server answers to HEAD where an address is signed for GET alone. */
const NO_HEAD: readonly unknown[] = [401, 403, 405]

/**
 * A Parquet file at an `http://` or `https://` address whose server answers ranges and gives strong ETags: without one
 * there is no telling whether two ranges are of the same file.
 */
export function httpSource(address: string, dispatcher: Dispatcher): RangeSource {
  const url = parseHttpAddress(address)
  const id = `${url.origin}${url.pathname}`
  const ask = askerOf(url, dispatcher, id)
  let hasHead = true
  const head = async (signal: AbortSignal): Promise<ObjectVersion> => {
    if (hasHead) {
      try {
        return (await ask({ method: 'HEAD', wantBytes: 0, signal })).version
      } catch (thrown) {
        if (!(thrown instanceof PipelineError) || !NO_HEAD.includes(thrown.facts['status'])) throw thrown
      }
    }
    const { version } = await ask({ method: 'GET', headers: { range: 'bytes=0-0' }, wantBytes: 1, signal })
    hasHead = false
    return version
  }
  return {
    id,
    cacheId: cacheIdOf(url),
    planned: null,
    head,
    tail: async (bytes, signal) => {
      const headers = { range: `bytes=-${bytes}` }
      const { version, body } = await ask({ method: 'GET', headers, wantBytes: bytes, signal })
      return { version, tail: body }
    },
    read: async ({ start, end, version, signal }) => {
      const headers = { range: `bytes=${start}-${end - 1}`, 'if-match': version.etag }
      const { status, body } = await ask({ method: 'GET', headers, wantBytes: end - start, version, signal })
      const from = status === 200 ? start : 0
      return whole(body.subarray(from, from + end - start), { start, end, at: id })
    },
  }
}

function askerOf(url: URL, dispatcher: Dispatcher, id: string) {
  const authorization = authorizationOf(url)
  const always = { 'accept-encoding': 'identity', ...(authorization === null ? {} : { authorization }) }
  const once = async ({ method, headers, wantBytes, version, signal }: Ask): Promise<Answer> => {
    const path = `${url.pathname}${url.search}`
    const answer = await dispatcher.request({
      origin: url.origin, path, method, signal, headers: { ...always, ...headers },
    })
    const head = headOf(answer)
    const failure = failureOf(head, id)
    if (failure || method === 'HEAD') {
      await dropBody(answer)
      if (failure) throw failure
      return { status: head.status, version: versionOf(head, id), body: Buffer.alloc(0) }
    }
    try {
      checkLength(head, wantBytes, id)
      const now = versionOf(head, id)
      if (version && (now.etag !== version.etag || now.bytes !== version.bytes)) throw replaced(id)
      return { status: head.status, version: now, body: await bodyOf(answer, wantBytes, id) }
    } finally {
      // Of no effect on a body that was read to its end.
      answer.body.on('error', () => undefined).destroy()
    }
  }
  return async (asked: Ask): Promise<Answer> => {
    for (let tries = 1; ; tries++) {
      try {
        return await once(asked)
      } catch (thrown) {
        const failure = asFailure(thrown, id, asked.signal)
        if (failure.code !== 'STORE_UNREACHABLE' || tries === TRIES) throw failure
        await pause(PAUSE_MS * tries)
      }
    }
  }
}

/** Ours as it is; else the connection is to blame. Throws the reason of an abort. */
function asFailure(thrown: unknown, at: string, signal: AbortSignal): PipelineError {
  if (thrown instanceof PipelineError) return thrown
  signal.throwIfAborted()
  return new PipelineError('STORE_UNREACHABLE', 'it cannot be reached, or ended in mid-answer', { at }, thrown)
}
