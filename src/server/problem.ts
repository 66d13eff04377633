import type { Context } from 'hono'
import { PipelineError, policyOf } from '../domain/errors.js'

/** Why a request is not answered; the text is fixed, so that nothing of the inside reaches it. */
const PROBLEMS = {
  BAD_REQUEST: { status: 400, message: 'a series is like spot-klines/BTCUSDT/1m, last a number up to 1000, after a cursor' },
  UNAUTHORIZED: { status: 401, message: 'user and password are wanted' },
  BAD_HOST: { status: 421, message: 'this server does not answer for that host name' },
  BAD_ORIGIN: { status: 403, message: 'a page of another origin may not change anything here' },
  NOT_FOUND: { status: 404, message: 'there is nothing here' },
  READ_ONLY: { status: 405, message: 'this may not be done here' },
  LENGTH_WANTED: { status: 411, message: 'a body must say its length' },
  TOO_LARGE: { status: 413, message: 'the request is too large' },
  UNAVAILABLE: { status: 503, message: 'a service behind this is down; /readyz says which' },
  TOO_MANY_STREAMS: { status: 503, message: 'as many streams as there may be are open' },
  TIMED_OUT: { status: 503, message: 'no answer in time' },
  UNEXPECTED: { status: 500, message: 'something failed; the log says what' },
} as const satisfies Record<string, { status: number; message: string }>

export type Problem = keyof typeof PROBLEMS

/** What an error thrown by a route is answered with. */
export function problemOf(error: Error): Problem {
  return error instanceof PipelineError && 'infrastructure' in policyOf(error.code) ? 'UNAVAILABLE' : 'UNEXPECTED'
}

export function problem(c: Context, code: Problem): Response {
  const { status, message } = PROBLEMS[code]
  return c.json({ v: 1, type: 'error', code, message }, status)
}
