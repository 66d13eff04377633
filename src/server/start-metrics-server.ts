import type { Log } from '../domain/ports/observe.js'
import type { Metrics } from '../observability/metrics.js'
import { assertSafeBind, type Credentials } from './bind.js'
import { health, type Checks } from './health.js'
import { listen, type Listening } from './listen.js'
import { metricsRoute } from './metrics-route.js'
import { redactor } from './redact.js'
import { secureApp } from './secure-app.js'

export type MetricsServerOptions = {
  /** As for `startServer`. */
  readonly host: string
  /** 0 is any free port. */
  readonly port: number
  readonly credentials: Credentials | null
  /**
   * Somebody asked for this very address, so other machines may read it without a password: what watches a worker in a
   * private network knows none, and there are only counts, codes and versions to read.
   */
  readonly exposed?: boolean
  /** The process's own; what it observes is counted nowhere else. */
  readonly metrics: Metrics
  readonly log: Log
  /** What `/readyz` asks. */
  readonly checks: Checks
  readonly limitMs?: number
}

/**
 * Serves `/metrics`, `/livez` and `/readyz` of a process that has no pages to show: a worker.
 * @throws {UNSAFE_BIND} other machines could reach it without a password and it is not `exposed`, or with one of less
 * than 12 characters
 * @throws {BAD_CONFIG} the address cannot be had, or the credentials cannot be used
 */
export async function startMetricsServer(o: MetricsServerOptions): Promise<Listening> {
  if (o.exposed !== true || o.credentials !== null) assertSafeBind(o.host, o.credentials)
  const redact = redactor(o.credentials ? [o.credentials.password] : [])
  const app = secureApp({ ...o, redact }, (routes) => {
    metricsRoute(routes, o.metrics)
    routes.route('/', health(o))
  })
  const listening = await listen(app, o)
  o.log.info('metrics.listening', { url: listening.url, password: o.credentials === null ? 'none' : 'asked for' })
  return listening
}
