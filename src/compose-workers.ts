import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Workers, WorkerOptions } from './cli/app.js'
import { failpointsOf } from './compose-failpoints.js'
import { archiveAndHot, composeMigration } from './compose-migrate.js'
import type { Services } from './compose-services.js'
import type { Config } from './config.js'
import { asPipelineError, PipelineError, policyOf } from './domain/errors.js'
import { BEAT_MS } from './domain/heartbeat.js'
import { partitionKeyOf } from './domain/partition.js'
import type { KeeperCatalog } from './domain/ports/keeper-catalog.js'
import type { Log, Observe } from './domain/ports/observe.js'
import type { JobStage } from './domain/states.js'
import { workerName } from './queues/worker-name.js'
import { runMigrate } from './workers/migrate.js'
import { reconcileEvery } from './workers/reconcile.js'
import { runStage } from './workers/run-stage.js'
import { startWorkers, type WorkersHandle } from './workers/runtime.js'
import { silenceWatch } from './workers/silence-watch.js'
import type { Ports, StartedJob } from './workers/stage.js'

const MS = 1_000
/** Time to finish what is in hand when nobody said how long: a person waits at the terminal, and can press Ctrl-C again. */
const FINISH_MS = 600_000
/** What a look for lost work gets beyond that; cut off anywhere, the next one begins anew. */
const LOOK_MS = 1_000

/** What stages touch, from the services of this process. */
export async function openPorts(config: Config, services: Services, log: Log, observe: Observe): Promise<Ports> {
  const workerId = workerName()
  return {
    workerId,
    catalog: (await services.catalog()).stage,
    queue: await services.queue(),
    archive: await archiveAndHot(services),
    staging: await services.staging(),
    quarantine: await services.quarantine(),
    lake: await services.lake(),
    engine: await services.engine(),
    observe,
    log,
    pass: failpointsOf(config.candlelakeFailpoints),
    now: () => new Date(),
    settings: {
      parquet: {
        numericType: config.numericType,
        codec: config.parquetCodec,
        level: config.parquetLevel,
        dataPages: config.parquetPages,
      },
      lateDays: config.lateDays,
      keepRevisions: config.keepRevisions,
      stagingMaxBytes: config.stagingMaxBytes,
      leaseMs: config.leaseSeconds * MS,
    },
  }
}

/** Workers as those see them who watch over this process: `silentMs` is since the queue last answered all stages. */
export type WorkersInHand = Workers & { isRunning(): boolean; silentMs(): number }

/** Takes jobs in this process, reconciles and tells the catalog that it lives, until drained. @throws {LAKE_MISMATCH} */
export async function composeWorkers(
  config: Config, services: Services, o: { log: Log; observe: Observe; options: WorkerOptions },
): Promise<WorkersInHand> {
  const { log, options } = o
  await refuseForeign(services, log)
  const ports = await openPorts(config, services, log, o.observe)
  const { keeper, plan } = await services.catalog()
  const concurrency = { ...configured(config), ...options.concurrency }
  const stages = options.stages.map((stage) => ({ stage, concurrency: concurrency[stage] }))
  const { workerId: name } = ports
  const migration = composeMigration(config, services)
  const run = async (job: StartedJob, signal: AbortSignal): ReturnType<typeof runStage> => {
    await owned(services)
    const { stage } = job
    if (stage === 'migrate') return await runMigrate(job, { ...ports, migration }, signal)
    return await runStage({ ...job, stage }, ports, signal)
  }
  const backend = await services.backend()
  const handle = startWorkers({
    backend, stages, run, log, name, lockMs: config.jobLockSeconds * MS,
    letGo: async ({ stage, partition, generation }) => {
      if (stage === 'migrate') return
      await ports.catalog.letGo({ partition, generation, workerId: name }).catch((thrown: unknown) => {
        log.warn('worker.lease_not_freed', { partition: partitionKeyOf(partition), code: asPipelineError(thrown).code })
      })
    },
    onGivenUp: ({ stage, partition, generation }, message) => {
      if (stage === 'migrate') return
      ports.catalog.giveUp({ stage, partition, generation, code: 'POISONED', message }).catch((thrown: unknown) => {
        // The row keeps its state; reconcile finds that no job is left for it, and puts it back.
        log.warn('worker.give_up_not_recorded', { partition: partitionKeyOf(partition), code: asPipelineError(thrown).code })
      })
    },
  })
  const stopped = new AbortController()
  const reconciling = reconcileEvery({ ...ports, keeper, plan }, config.reconcileSeconds * MS, stopped.signal, () => services.owned())
  const beating = beat(keeper, ports, options.stages, handle, log)
  let drained: Promise<void> | undefined
  const drain = async (graceMs = FINISH_MS): Promise<void> => {
    // A look for lost work that is under way has the grace, too: a store that never answers would make it last for ever.
    stopped.abort()
    await handle.drain(graceMs)
    await Promise.all([Promise.race([reconciling, sleep(LOOK_MS, undefined, { ref: false })]), beating.stop()])
  }
  return {
    id: ports.workerId,
    concurrency: only(options.stages, concurrency),
    drain: (graceMs) => (drained ??= drain(graceMs)),
    isRunning: () => handle.isRunning(),
    silentMs: () => handle.progressAgeMs(),
  }
}

/** A store that does not answer in that time is away: the worker starts, and looks before its first job. */
const LOOK_FIRST_MS = 5_000

/** @throws {LAKE_MISMATCH} and whatever else waiting does not repair */
async function refuseForeign(services: Services, log: Log): Promise<void> {
  const looked = services.owned().then(() => null, asPipelineError)
  const error = await Promise.race([looked, sleep(LOOK_FIRST_MS, 'late' as const, { ref: false })])
  if (error === null) return
  const code = error === 'late' ? 'STORE_UNREACHABLE' : error.code
  if (error !== 'late' && policyOf(code).infrastructure !== true) throw error
  log.warn('worker.lake_not_seen', { code })
}

/** A lake that turns out to be another's only now is no partition's fault: its jobs wait for a person. */
async function owned(services: Services): Promise<void> {
  try {
    await services.owned()
  } catch (thrown) {
    const error = asPipelineError(thrown)
    if (policyOf(error.code).infrastructure === true) throw error
    throw new PipelineError('STORE_UNREACHABLE', error.message, error.facts, error)
  }
}

const configured = (config: Config): Readonly<Record<JobStage, number>> => ({
  download: config.downloadConcurrency,
  convert: config.convertConcurrency,
  upload: config.uploadConcurrency,
  verify: config.verifyConcurrency,
  migrate: config.migrateConcurrency,
})

function only(stages: readonly JobStage[], of: Readonly<Record<JobStage, number>>): Partial<Record<JobStage, number>> {
  return Object.fromEntries(stages.map((stage) => [stage, of[stage]]))
}

/** Says in the catalog that this worker lives and what it is doing. A beat that fails is logged; the next one may not. */
function beat(
  keeper: KeeperCatalog, ports: Ports, stages: readonly JobStage[],
  handle: Pick<WorkersHandle, 'active' | 'progressAgeMs'>, log: Log,
): { stop(): Promise<void> } {
  const watch = silenceWatch(() => handle.progressAgeMs(), log)
  const say = async (): Promise<void> => {
    watch()
    const now = handle.active().map(({ job, since }) => (
      { stage: job.stage, partition: partitionKeyOf(job.partition), since: new Date(since).toISOString() }))
    try {
      await keeper.heartbeat({ id: ports.workerId, host: hostname(), pid: process.pid, stages, doing: now })
    } catch (thrown) {
      const { code, message } = asPipelineError(thrown)
      log.warn('worker.heartbeat_failed', { code, message })
    }
  }
  let saying = say()
  const timer = setInterval(() => void (saying = say()), BEAT_MS)
  return {
    stop: async () => {
      clearInterval(timer)
      await saying
      await keeper.leave(ports.workerId).catch((thrown: unknown) => {
        log.warn('worker.leave_failed', { code: asPipelineError(thrown).code })
      })
    },
  }
}
