import { createHash, timingSafeEqual } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import type { Credentials } from './bind.js'
import { problem } from './problem.js'

/** Answered without a password: what watches the process knows none. */
export const OPEN_PATHS: readonly string[] = ['/livez', '/readyz']

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Asks for user and password on everything but `/livez` and `/readyz`; lets all pass when there are none. */
export function authorize(credentials: Credentials | null): MiddlewareHandler {
  if (credentials === null) return (_, next) => next()
  const wanted = digest(`${credentials.user}:${credentials.password}`)
  return async (c, next) => {
    // Digests are of one length, and compared in a time that does not tell where they differ.
    if (OPEN_PATHS.includes(c.req.path) || timingSafeEqual(wanted, digest(given(c.req.header('authorization'))))) {
      return next()
    }
    c.header('www-authenticate', 'Basic realm="candlelake", charset="UTF-8"')
    return problem(c, 'UNAUTHORIZED')
  }
}

function given(header: string | undefined): string {
  const token = /^basic +([a-z0-9+/_-]+=*) *$/i.exec(header ?? '')?.[1] ?? ''
  return Buffer.from(token, 'base64').toString('utf8')
}
