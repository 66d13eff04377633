import { PipelineError, type ErrorCode, type Facts } from '../../domain/errors.js'

const DAY_MS = 86_400_000

/**
 * Milliseconds to wait by a Retry-After header in seconds or as an HTTP date; null where it is missing or unclear.
 * Capped at `mostMs`, a day, so that a mistaken header cannot park work for ever.
 */
export function retryAfterMs(header: string | null, nowMs: number, mostMs = DAY_MS): number | null {
  if (header === null) return null
  const text = header.trim()
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), mostMs)
}

/** The error that an answer without success stands for; `at` is a URL without credentials. */
export function statusFailure(o: {
  status: number
  at: string
  retryAfter: string | null
  nowMs: number
}): PipelineError {
  const facts = { at: o.at, status: o.status }
  const waitMs = retryAfterMs(o.retryAfter, o.nowMs)
  const wait: Facts = waitMs === null ? {} : { retryAfterMs: waitMs }
  const fail = (code: ErrorCode, message: string, more: Facts = {}): PipelineError =>
    new PipelineError(code, message, { ...facts, ...more })
  switch (o.status) {
    case 404:
    case 410:
      return fail('ARCHIVE_ABSENT', 'the archive has no such file')
    case 403:
      return fail('ARCHIVE_REFUSED', 'the archive refused the request (403)', { do: 'open the address in a browser' })
    case 401:
    case 407:
      return fail('ARCHIVE_REFUSED', `the archive or a proxy asks for credentials (${o.status})`, {
        do: 'configure the address or the proxy with a user name and password',
      })
    case 451:
      return fail('ARCHIVE_REFUSED', 'the archive does not serve this region (451)', {
        do: 'run from a region it serves, or point ARCHIVE_URL at a mirror',
      })
    case 418:
    case 429:
      return fail('ARCHIVE_BUSY', `the archive asks to slow down (${o.status})`, wait)
    case 503:
      if (waitMs !== null) return fail('ARCHIVE_BUSY', 'the archive is overloaded (503)', wait)
  }
  const isPassing = o.status >= 500 || o.status === 408
  if (isPassing) return fail('ARCHIVE_UNREACHABLE', `the archive failed with status ${o.status}`)
  return fail('ARCHIVE_REFUSED', `the archive answered with status ${o.status}`)
}
