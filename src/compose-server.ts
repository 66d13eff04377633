import type { App, Serving } from './cli/app.js'
import { tailedSeries } from './compose-schedules.js'
import type { Services } from './compose-services.js'
import type { Config } from './config.js'
import { secretsOf } from './config/shown-settings.js'
import { PipelineError } from './domain/errors.js'
import { feedLag } from './domain/feed-lag.js'
import { US_PER_MS } from './domain/month.js'
import { INCOMING } from './domain/names.js'
import type { Log } from './domain/ports/observe.js'
import { createMetrics, type Metrics } from './observability/metrics.js'
import { JOB_STAGES } from './jobs/stages.js'
import { startMetricsServer } from './server/start-metrics-server.js'
import { startServer } from './server/start-server.js'
import { VERSION } from './version.js'

/**
 * The server over the services of this process. Catalog and queue are asked for at each request, so that it starts, and
 * says what is wrong, while one of them is down. @throws {UNSAFE_BIND, BAD_CONFIG}
 */
export async function composeServer(
  config: Config, services: Services,
  o: { host: string; port: number; log: Log; metrics: Metrics; subscribe: App['subscribe'] },
): Promise<Serving> {
  const keeper = async () => (await services.catalog()).keeper
  const hot = async () => (await services.catalog()).hot
  const plans = async () => (await services.catalog()).plan
  return await startServer({
    ...o,
    credentials: credentialsOf(config),
    boards: async () => {
      const backend = await services.backend()
      return JOB_STAGES.map((stage) => backend.queue(stage))
    },
    keeper: {
      states: async (filter) => await (await keeper()).states(filter),
      summary: async (runId) => await (await keeper()).summary(runId),
      workers: async () => await (await keeper()).workers(),
      quarantine: async function* (filter) {
        yield* (await keeper()).quarantine(filter)
      },
    },
    plan: {
      runs: async (options) => await (await plans()).runs(options),
      progress: async (runId) => await (await plans()).progress(runId),
    },
    queue: {
      counts: async () => await (await services.queue()).counts(),
      ping: async () => await (await services.queue()).ping(),
    },
    hot: { estimate: async () => await (await hot()).estimate() },
    feedLag: async () => {
      const tailed = await tailedSeries(services)
      const newest = await (await hot()).newest(tailed)
      return feedLag(tailed, newest, BigInt(Date.now()) * US_PER_MS)
    },
    subscribe: async (...wanted) => await o.subscribe(...wanted),
    version: VERSION,
    secrets: secretsOf(config),
  })
}

/** `/metrics`, `/livez` and `/readyz` of a process that works, where METRICS_PORT asks for them; null elsewhere. @throws {UNSAFE_BIND} */
export async function composeMetricsServer(
  config: Config, services: Services, o: { log: Log; metrics: Metrics; isRunning: () => boolean },
): Promise<Serving | null> {
  if (config.metricsPort === null) return null
  const { metricsHost, metricsPort: port } = config
  const checks = {
    catalog: async () => await (await services.catalog()).ping(),
    queue: async () => await (await services.queue()).ping(),
    lake: async () => await (await services.lake()).head(`${INCOMING}/ready`),
    workers: () => (o.isRunning() ? Promise.resolve() : Promise.reject(notRunning())),
  }
  const [host, exposed] = [metricsHost ?? config.serverHost, metricsHost !== null]
  return await startMetricsServer({ ...o, host, exposed, port, credentials: credentialsOf(config), checks })
}

const notRunning = (): PipelineError =>
  new PipelineError('INTERRUPTED', 'no jobs are taken: it starts, or drains')

/** The metrics of this process: one registry, whoever serves it. */
export const composeMetrics = (config: Config): Metrics =>
  createMetrics({ version: VERSION, backend: config.queueUrl?.startsWith('redis') ? 'redis' : 'postgres' })

function credentialsOf({ serverUser: user, serverPassword: password }: Config): { user: string; password: string } | null {
  return user !== null && password !== null ? { user, password } : null
}
