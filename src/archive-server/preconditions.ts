import type { IncomingHttpHeaders } from 'node:http'

/** What is known of the object that a condition is tested against. The ETag is quoted; the time has whole seconds. */
export type Validators = { readonly etag: string; readonly modifiedMs: number }

/** What the conditional headers make of a GET or HEAD, in the order that RFC 9110 section 13.2.2 gives. */
export function checkPreconditions(headers: IncomingHttpHeaders, v: Validators): 'proceed' | 'failed' | 'not modified' {
  const match = headers['if-match']
  const unmodifiedSince = headers['if-unmodified-since']
  if (match !== undefined ? !names(match, v.etag) : isBefore(unmodifiedSince, v.modifiedMs)) return 'failed'
  const noneMatch = headers['if-none-match']
  if (noneMatch !== undefined) return names(noneMatch.replaceAll('W/', ''), v.etag) ? 'not modified' : 'proceed'
  const since = timeOf(headers['if-modified-since'])
  return since !== null && v.modifiedMs <= since ? 'not modified' : 'proceed'
}

/** Whether a Range header still holds: If-Range is absent or names this very object. */
export function rangeHolds(headers: IncomingHttpHeaders, v: Validators): boolean {
  const ifRange = headers['if-range']
  if (typeof ifRange !== 'string') return true
  return ifRange.includes('"') ? ifRange.trim() === v.etag : timeOf(ifRange) === v.modifiedMs
}

function names(header: string, etag: string): boolean {
  const listed = header.split(',').map((one) => one.trim())
  return listed.some((one) => one === '*' || one === etag || `"${one}"` === etag)
}

function isBefore(header: string | undefined, modifiedMs: number): boolean {
  const limit = timeOf(header)
  return limit !== null && modifiedMs > limit
}

function timeOf(header: string | undefined): number | null {
  const ms = Date.parse(header ?? '')
  return Number.isNaN(ms) ? null : ms
}
