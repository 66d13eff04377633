import type { Dispatcher } from 'undici'
import { PipelineError } from '../../domain/errors.js'
import type { ObjectVersion } from '../../domain/ports/range-source.js'

/** What the headers say; the body is still to be read. */
export type Head = { readonly status: number; readonly headers: Readonly<Record<string, string>> }

/** What of a body is taken at most beyond the bytes that were asked for: a short file may come whole. */
const SPARE_BYTES = 1024 ** 2
/** Of an answer that is not wanted so much is read, so that the connection can be used again; then it is closed. */
const DUMP_BYTES = 64 * 1024

export function headOf(answer: Dispatcher.ResponseData): Head {
  const named = Object.entries(answer.headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value])
  return { status: answer.statusCode, headers: Object.fromEntries(named) as Record<string, string> }
}

/** A redirect is not followed: it would lead to a host that nobody named. */
export function failureOf({ status }: Head, at: string): PipelineError | null {
  if (status === 200 || status === 206) return null
  if (status === 404) return new PipelineError('OBJECT_ABSENT', 'there is no such object', { at })
  if (status === 412) return replaced(at)
  if (status === 416) return new PipelineError('OBJECT_CORRUPT', 'it is shorter than it was said to be', { at })
  if (status === 401 || status === 403) {
    const facts = { at, status, do: 'renew the address or its password' }
    return new PipelineError('STORE_DENIED', `the server answers ${status}: it may not be read`, facts)
  }
  if (status >= 300 && status < 400) {
    const facts = { at, status, do: 'use the address that it redirects to' }
    return new PipelineError('BAD_USAGE', 'it redirects, which is not followed', facts)
  }
  const isDown = status >= 500 || status === 429
  return new PipelineError(isDown ? 'STORE_UNREACHABLE' : 'BAD_USAGE', `the server answers ${status}`, { at, status })
}

export const replaced = (at: string): PipelineError =>
  new PipelineError('PRECONDITION_FAILED', 'another object is there now', { at, do: 'ask again' })

/** @throws {BAD_USAGE} no strong ETag, or no length */
export function versionOf({ status, headers }: Head, at: string): ObjectVersion {
  const etag = headers['etag'] ?? ''
  const length = status === 206 ? /\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1] : headers['content-length']
  if (etag === '' || etag.startsWith('W/') || length === undefined) {
    throw new PipelineError('BAD_USAGE', 'its server gives no strong ETag, or no length', {
      at,
      do: 'download the file, then query it',
    })
  }
  return { etag, bytes: Number(length) }
}

/** The whole file in place of a range is refused by its headers, before a byte of it is read. @throws {BAD_USAGE} */
export function checkLength({ status, headers }: Head, wantBytes: number, at: string): void {
  const length = headers['content-length']
  if (status === 200 && (length === undefined || Number(length) > wantBytes + SPARE_BYTES)) throw noRanges(at)
}

/** The body, of which more than `wantBytes` and some to spare is not taken into memory. @throws {BAD_USAGE} */
export async function bodyOf(answer: Dispatcher.ResponseData, wantBytes: number, at: string): Promise<Buffer> {
  const length = Number(headOf(answer).headers['content-length'] ?? Number.NaN)
  const most = wantBytes + SPARE_BYTES
  const buffer = Buffer.allocUnsafe(Math.min(Number.isSafeInteger(length) ? length : most, most))
  let filled = 0
  for await (const piece of answer.body as AsyncIterable<Buffer>) {
    if (filled + piece.length > buffer.length) throw noRanges(at)
    filled += piece.copy(buffer, filled)
  }
  return buffer.subarray(0, filled)
}

/** Lets go of a body that nobody wants. */
export async function dropBody(answer: Dispatcher.ResponseData): Promise<void> {
  await answer.body.dump({ limit: DUMP_BYTES }).catch(() => undefined)
}

const noRanges = (at: string): PipelineError =>
  new PipelineError('BAD_USAGE', 'its server does not answer ranges', { at, do: 'download the file, then query it' })
