import type { MiddlewareHandler } from 'hono'
import { bareHost, isLoopback } from './bind.js'
import { problem } from './problem.js'

/**
 * Against DNS rebinding: a server on the loopback interface has no password, so a page whose own name was pointed at
 * 127.0.0.1 could read it. It answers only for names that nobody else can own.
 */
export function guardHost(host: string): MiddlewareHandler {
  if (!isLoopback(host)) return (_, next) => next()
  return (c, next) => {
    const named = hostNameOf(c.req.header('host') ?? '')
    return named !== null && isLoopback(named) ? next() : Promise.resolve(problem(c, 'BAD_HOST'))
  }
}

/** Lets nothing be changed from a page of another origin: browsers send passwords along with such requests too. */
export const guardOrigin: MiddlewareHandler = async (c, next) => {
  if (c.req.method === 'GET' || c.req.method === 'HEAD') return next()
  const site = c.req.header('sec-fetch-site')
  const origin = c.req.header('origin')
  const foreign = (site !== undefined && site !== 'same-origin')
    || (origin !== undefined && originHost(origin) !== c.req.header('host')?.toLowerCase())
  return foreign ? problem(c, 'BAD_ORIGIN') : next()
}

const BODY_MAX_BYTES = 64 * 1_024

/** Takes bodies of at most 64 KiB that say their length: nothing that may be asked here needs another. */
export const guardBody: MiddlewareHandler = async (c, next) => {
  const length = c.req.header('content-length')
  if (c.req.header('transfer-encoding') !== undefined) return problem(c, 'LENGTH_WANTED')
  return Number(length ?? 0) > BODY_MAX_BYTES ? problem(c, 'TOO_LARGE') : next()
}

/** The host of a `Host` header without its port; null when it is none. */
function hostNameOf(header: string): string | null {
  const name = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?$/i.exec(header)?.[1]
  return name === undefined ? null : bareHost(name)
}

function originHost(origin: string): string | null {
  return /^https?:\/\/([^/]+)$/i.exec(origin)?.[1]?.toLowerCase() ?? null
}
