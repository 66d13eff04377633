import type { Serving } from './cli/app.js'
import type { Services } from './compose-services.js'
import type { Config } from './config.js'
import type { Log } from './domain/ports/observe.js'
import { createMetrics } from './observability/metrics.js'
import { STAGES } from './jobs/stages.js'
import { startServer } from './server/start-server.js'
import { VERSION } from './version.js'

/**
 * The server over the services of this process. Catalog and queue are asked for at each request, so that it starts, and
 * says what is wrong, while one of them is down. @throws {UNSAFE_BIND, BAD_CONFIG}
 */
export async function composeServer(
  config: Config, services: Services, o: { host: string; port: number; log: Log },
): Promise<Serving> {
  const keeper = async () => (await services.catalog()).keeper
  const plans = async () => (await services.catalog()).plan
  const { serverUser: user, serverPassword: password } = config
  return await startServer({
    ...o,
    credentials: user !== null && password !== null ? { user, password } : null,
    boards: async () => {
      const backend = await services.backend()
      return STAGES.map((stage) => backend.queue(stage))
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
    metrics: createMetrics({ version: VERSION, backend: config.queueUrl?.startsWith('redis') ? 'redis' : 'postgres' }),
    version: VERSION,
    secrets: [config.databaseUrl, config.queueUrl].flatMap((url) => passwordIn(url)),
  })
}

function passwordIn(url: string | null): string[] {
  if (url === null || !URL.canParse(url)) return []
  const { password } = new URL(url)
  return password === '' ? [] : [password, decodeURIComponent(password)]
}
