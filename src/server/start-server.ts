import type { Hono } from 'hono'
import type { FeedLag } from '../domain/feed-lag.js'
import type { HotStore } from '../domain/ports/hot-store.js'
import type { JobQueue } from '../domain/ports/job-queue.js'
import type { KeeperCatalog } from '../domain/ports/keeper-catalog.js'
import type { Log } from '../domain/ports/observe.js'
import type { PlanCatalog } from '../domain/ports/plan-catalog.js'
import { toJson } from '../domain/json.js'
import type { Metrics } from '../observability/metrics.js'
import { assertSafeBind, type Credentials } from './bind.js'
import { boardRoutes } from './board-routes.js'
import type { BoardQueue } from './board.js'
import { health, type Checks } from './health.js'
import { candleStreams, type StreamLimits, type Subscribe } from './candle-stream.js'
import { listen, type Listening } from './listen.js'
import { metricsRoute } from './metrics-route.js'
import { redactor } from './redact.js'
import { secureApp } from './secure-app.js'
import { statusPage } from './status-page.js'
import { STATUS_STYLE } from './status-style.js'
import { statusReader } from './status.js'

export type ServerOptions = {
  /** Loopback, or an address that needs credentials: `127.0.0.1`, `::1`, `localhost`, `0.0.0.0`. */
  readonly host: string
  /** 0 is any free port. */
  readonly port: number
  /** Asked for on everything but `/livez` and `/readyz`; with them, failed jobs may be retried on the board. */
  readonly credentials: Credentials | null
  /** The board's queues, in order; a function is called when the board is first opened. They stay the caller's. */
  readonly boards: readonly BoardQueue[] | (() => Promise<readonly BoardQueue[]>)
  readonly keeper: Pick<KeeperCatalog, 'states' | 'summary' | 'workers' | 'quarantine'>
  readonly plan: Pick<PlanCatalog, 'runs' | 'progress'>
  readonly queue: Pick<JobQueue, 'counts' | 'ping'>
  readonly hot: Pick<HotStore, 'estimate'>
  /** Of the series of all schedules of `tail`. */
  readonly feedLag: () => Promise<FeedLag>
  /** Subscriptions to hot rows, for `/api/candles/…`. */
  readonly subscribe: Subscribe
  readonly metrics: Metrics
  readonly log: Log
  readonly version: string
  /** Further probes for `/readyz`, beside `catalog` and `queue`. */
  readonly checks?: Checks
  /** Texts that no answer may hold: passwords, keys. The server's own password is added. */
  readonly secrets?: readonly string[]
  /** Of streams of candles: see `StreamLimits`. */
  readonly streams?: StreamLimits
  /** How long a probe, a part of the status or a scrape may take; 2 to 3 s by default. */
  readonly limitMs?: number
}

/**
 * Serves the status page `/`, `/api/status`, candles as they come at `/api/candles/…`, the queues' board `/board`,
 * `/metrics`, `/livez` and `/readyz`.
 * It starts also when catalog and queues are down, and says so.
 * @throws {UNSAFE_BIND} other machines could reach it without a password, or with one of less than 12 characters
 * @throws {BAD_CONFIG} the address cannot be had, or the credentials cannot be used
 */
export async function startServer(o: ServerOptions): Promise<Listening> {
  assertSafeBind(o.host, o.credentials)
  const redact = redactor([...(o.secrets ?? []), ...(o.credentials ? [o.credentials.password] : [])])
  const detach = o.metrics.readFrom({ keeper: o.keeper, queue: o.queue, hot: o.hot, feedLag: o.feedLag })
  const streams = candleStreams({ subscribe: o.subscribe, log: o.log, ...o.streams })
  try {
    const app = secureApp({ ...o, redact }, (routes) => {
      statusRoutes(routes, o, redact)
      streams.route(routes)
      metricsRoute(routes, o.metrics)
      routes.route('/', health({ checks: checksOf(o), log: o.log, ...limitOf(o) }))
      boardRoutes(routes, { boards: o.boards, allowRetries: o.credentials !== null, redact, log: o.log })
    })
    const { url, port, close } = await listen(app, o)
    o.log.info('server.listening', { url, password: o.credentials === null ? 'none' : 'asked for' })
    const closeAll = async (): Promise<void> => {
      await streams.close()
      await close()
    }
    return { url, port, close: () => closeAll().finally(detach) }
  } catch (thrown) {
    detach()
    throw thrown
  }
}

function statusRoutes(app: Hono, o: ServerOptions, redact: ReturnType<typeof redactor>): void {
  const sources = { keeper: o.keeper, plan: o.plan, queue: o.queue }
  const status = statusReader({ sources, version: o.version, redact, ...limitOf(o) })
  app.get('/', async (c) => c.html(statusPage(await status())))
  app.get('/style.css', (c) => c.text(STATUS_STYLE, 200, { 'content-type': 'text/css; charset=utf-8' }))
  app.get('/api/status', async (c) => c.body(toJson(await status()), 200, { 'content-type': 'application/json' }))
}

const checksOf = (o: ServerOptions): Checks => ({
  catalog: () => o.plan.runs({ limit: 1 }),
  queue: () => o.queue.ping(),
  ...o.checks,
})

const limitOf = (o: ServerOptions): { limitMs?: number } => (o.limitMs === undefined ? {} : { limitMs: o.limitMs })
