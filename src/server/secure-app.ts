import { Hono } from 'hono'
import type { Log } from '../domain/ports/observe.js'
import type { Metrics } from '../observability/metrics.js'
import { authorize } from './authorize.js'
import type { Credentials } from './bind.js'
import { guardBody, guardHost, guardOrigin } from './guard.js'
import { problem, problemOf } from './problem.js'
import type { Redact } from './redact.js'
import { responseHeaders } from './response-headers.js'

export type SecureAppOptions = {
  readonly host: string
  readonly credentials: Credentials | null
  readonly metrics: Metrics
  readonly log: Log
  readonly redact: Redact
}

/** An application in which every request has passed the guards before a route sees it; `routes` adds the routes. */
export function secureApp(o: SecureAppOptions, routes: (app: Hono) => void): Hono {
  const app = new Hono()
  app.use(async (c, next) => {
    await next()
    o.metrics.answered(routeNameOf(c.req.path), c.res.status)
  })
  app.use(responseHeaders)
  app.use(guardHost(o.host))
  app.use(authorize(o.credentials))
  app.use(guardOrigin)
  app.use(guardBody)
  routes(app)
  app.notFound((c) => {
    const { pathname, search } = new URL(c.req.url)
    // One slash at the start only: `//host/` would lead elsewhere.
    const shorter = pathname.replace(/^[/\\]+/, '/').replace(/\/+$/, '')
    const again = c.req.method === 'GET' && pathname.endsWith('/') && shorter !== ''
    return again ? c.redirect(`${shorter}${search}`, 308) : problem(c, 'NOT_FOUND')
  })
  app.onError((error, c) => {
    o.log.error('server.failed', { path: o.redact.text(c.req.path), why: o.redact.text(error.message) })
    return problem(c, problemOf(error))
  })
  return app
}

const ROUTE_NAMES = ['livez', 'readyz', 'metrics', 'api', 'board'] as const

/** The first part of a known path, `status` for the page itself, and one name for all that is not there. */
function routeNameOf(path: string): string {
  const first = path.split('/')[1] ?? ''
  return first === '' ? 'status' : ROUTE_NAMES.find((name) => name === first) ?? 'other'
}
