import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { App, OpenApp, PlanOptions, PlanReport } from './cli/app.js'
import { removeEmbeddedPostgres } from './adapters/embedded-postgres/embedded-postgres.js'
import { describeCatalog, describeQueue, askArchive, askEngine, askOwner } from './compose-checks.js'
import { composeHot } from './compose-hot.js'
import { composeMigrations } from './compose-migrate.js'
import { composeSchedules } from './compose-schedules.js'
import { openServices, type Services } from './compose-services.js'
import { lakeDirOf } from './compose-stores.js'
import { composeWorkers, type WorkersInHand } from './compose-workers.js'
import type { Config } from './config.js'
import { PipelineError } from './domain/errors.js'
import { partitionKeyOf, type Partition, type Series } from './domain/partition.js'
import { wantedAgain, type WantedPartition } from './domain/plan.js'
import type { Log, Observe } from './domain/ports/observe.js'
import type { Run } from './domain/ports/plan-catalog.js'
import type { Metrics } from './observability/metrics.js'
import { moveLake } from './workers/move-lake.js'
import { ownLake, takeLake } from './workers/owner.js'
import { plan, type PlanFigures } from './workers/plan.js'
import { reconcile } from './workers/reconcile.js'
import { verifyStored } from './workers/verify-stored.js'
import { wantedPartitions, type BackfillRequest } from './workers/wanted.js'

/** The application: the only place that joins adapters, queues and workers. Opens nothing before it is needed. */
export const openApp: OpenApp = ({ config, log, observe }) => {
  let made: Metrics | undefined
  const tee: Observe = (event) => {
    observe(event)
    made?.observe(event)
  }
  const services = openServices(config, log, tee)
  // Loaded when asked for: commands and workers start half a second of processor time earlier without server and DuckDB.
  const serving = async () => {
    const server = await import('./compose-server.js')
    return { ...server, metrics: (made ??= server.composeMetrics(config)) }
  }
  const serveMetrics = async (handle: Pick<WorkersInHand, 'silentMs' | 'isRunning'>) => {
    if (config.metricsPort === null) return null
    const { composeMetricsServer, metrics } = await serving()
    metrics.watchSilence(() => handle.silentMs())
    return await composeMetricsServer(config, services, { log, metrics, isRunning: () => handle.isRunning() })
  }
  const hotWork = composeHot(config, services, tee)
  const migrations = composeMigrations(config, services)
  const app: App = {
    config,
    plans: async () => (await services.catalog()).plan,
    keeper: async () => (await services.catalog()).keeper,
    queue: services.queue,
    listing: services.listing,
    lake: services.lake,
    staging: services.staging,
    plan: (request, o) => planBackfill(request, o, config, services, log),
    startWorkers: async (options) => {
      let workers: WorkersInHand | undefined
      const served = await serveMetrics({
        silentMs: () => workers?.silentMs() ?? 0, isRunning: () => workers?.isRunning() ?? false,
      })
      const started = (workers = await composeWorkers(config, services, { log, observe: tee, options }))
      const drain = async (graceMs?: number): Promise<void> => {
        await started.drain(graceMs)
        await served?.close()
      }
      return { ...started, drain }
    },
    // Asked for by a person, it compares every published object, however long ago its row changed.
    reconcile: async () => await reconcile(await reconcilePorts(services, log), config.reconcileSeconds * 1_000, 'all'),
    garbage: async ({ remove, ...o }) => {
      const { keeper } = await services.catalog()
      const { collectGarbage, surveyGarbage } = await import('./workers/gc.js')
      const options = { ...o, keepRevisions: config.keepRevisions }
      if (remove) return await collectGarbage({ keeper, ...(await services.owned()), now: () => new Date() }, options)
      await ownLake(await services.ownerPorts({ dryRun: true }), { dryRun: true })
      const ports = { keeper, staging: await services.staging(), lake: await services.lake(), now: () => new Date() }
      return await surveyGarbage(ports, options)
    },
    rebuildCatalog: async function* (o) {
      const { keeper } = o.dryRun ? await services.catalog() : (await services.adopted()).opened
      const [lake, engine] = [await services.lake(), await services.engine()]
      const { rebuildCatalog } = await import('./workers/rebuild-catalog.js')
      yield* rebuildCatalog({ keeper, lake, engine, numericType: config.numericType }, o)
    },
    claimLake: async () => void (await services.owned()),
    takeLake: async (o) => await takeLake(await services.ownerPorts(o), o),
    verifyStored: async function* ({ filter, signal }) {
      const { keeper } = await services.catalog()
      const [lake, engine] = [await services.lake(), await services.engine()]
      yield* verifyStored(filter, { keeper, lake, engine, numericType: config.numericType }, signal)
    },
    moveLake: async (o) => {
      const { keeper } = await services.anyCatalog()
      return await moveLake({ keeper, lake: await services.lake(), url: config.lakeUrl }, o)
    },
    retryQuarantined: (partitions) => retryQuarantined(partitions, services),
    serve: async (o) => {
      const { composeServer, metrics } = await serving()
      return await composeServer(config, services, { ...o, log, metrics, subscribe: hotWork.subscribe })
    },
    query: async (o) => new (await import('./lake/candle-query.js')).CandleQuery(await services.query(), o),
    files: async (addresses) => (await import('./compose-file-query.js')).openFileQuery(addresses, config),
    candles: async (from) => (await services.exports()).candles(from),
    mergeParquet: async (o) => await (await services.exports()).merger.merge(o),
    ...hotWork,
    ...composeSchedules(config, services, { log, observe: tee, serve: serveMetrics }, {
      ...migrations, sync: hotWork.sync, plan: (request, o) => planBackfill(request, o, config, services, log),
    }),
    ...migrations,
    askOwner: (what) => askOwner(what, services),
    askArchive: () => askArchive(config),
    askEngine: () => askEngine(),
    describeCatalog: () => describeCatalog(config, services),
    describeQueue: () => describeQueue(config, services),
    close: services.close,
    discard: async () => {
      await services.close()
      if (config.databaseUrl === null) await removeEmbeddedPostgres({ home: config.candlelakeHome })
    },
  }
  return app
}

async function reconcilePorts(services: Services, log: Log) {
  const { keeper, plan: plans } = await services.catalog()
  const [queue, { staging, lake }] = [await services.queue(), await services.owned()]
  return { keeper, plan: plans, queue, staging, lake, log, now: () => new Date() }
}

async function planBackfill(
  request: BackfillRequest, o: PlanOptions, config: Config, services: Services, log: Log,
): Promise<PlanReport> {
  const { plan: plans } = await services.catalog()
  // A dry run asks no queue: its name is the catalog's, which has none before its first write.
  const queue = o.dryRun ? NO_QUEUE : await services.queue()
  const listing = await services.listing()
  const unknown: string[] = []
  const onUnlisted = ({ symbol, interval }: Series): void => {
    // Under a glob or `all` every symbol was listed, and lacks an interval by right.
    if ('names' in request.symbols) unknown.push(`${symbol} ${interval}`)
  }
  const now = (): Date => new Date()
  const wanted = wantedPartitions(request, { listing, log, now, lateDays: config.lateDays, onUnlisted }, o.signal)
  const first = await wanted.next()
  if (first.done) {
    throw new PipelineError('NOTHING_MATCHES', 'the archive has no file for what was asked', {
      at: '--symbols, --intervals, --from, --to', do: 'check the names, or widen the range',
    })
  }
  // No bounds: the listing could not be reached. Where the archive cannot be either, a run would do nothing but wait.
  if (first.value.bounds === null) await askArchive(config)
  const run = o.dryRun ? null : await plans.createRun({ kind: o.kind ?? 'backfill', request: o.asked })
  const { force, onProgress, signal } = o
  const figures = await plan(startingWith(first.value, wanted), { plan: plans, queue }, { run, force, onProgress, signal })
  const dir = lakeDirOf(config)
  return { ...figures, run, unknown, freeBytes: dir === null ? null : await freeBytesOf(dir) }
}

const NO_QUEUE = { enqueue: (): Promise<void> => Promise.reject(new PipelineError('UNEXPECTED', 'a dry run enqueues nothing')) }

async function* startingWith(
  first: WantedPartition, rest: AsyncIterable<WantedPartition>,
): AsyncGenerator<WantedPartition> {
  yield first
  yield* rest
}

/** Bytes free where the lake lies, or will lie: its folder is made on first use. Null where no folder above it can be asked. */
async function freeBytesOf(dir: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(dir)
    return bavail * bsize
  } catch {
    return dirname(dir) === dir ? null : await freeBytesOf(dirname(dir))
  }
}

/** Every partition is planned as if forced: the same bytes may pass a newer program. */
async function retryQuarantined(
  partitions: readonly Partition[], services: Services,
): Promise<{ readonly run: Run; readonly started: number }> {
  const { plan: plans } = await services.catalog()
  const run = await plans.createRun({ kind: 'retry', request: { partitions: partitions.length } })
  const rows = await plans.rowsOf(partitions)
  const wanted = partitions.map((partition) => wantedAgain(partition, rows.get(partitionKeyOf(partition))))
  const figures: PlanFigures = await plan(wanted, { plan: plans, queue: await services.queue() }, { run, force: true })
  return { run, started: figures.todo }
}
