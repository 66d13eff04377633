import type { PipelineError } from '../domain/errors.js'
import type { Log } from '../domain/ports/observe.js'
import { decodeStageJob, type StageJob } from '../jobs/stage-job.js'
import type { JobStage } from '../jobs/stages.js'
import type { QueueBackend } from '../queues/queue-backend.js'
import { DEFAULT_LOCK_MS, POLICY, type StagePolicy } from '../queues/policy.js'
import { settles } from '../queues/settles.js'
import type { BullJob, StageWorker } from '../queues/stage-worker.js'
import { errorReporter, foreignReporter } from './runtime-errors.js'
import { execute, type Run } from './runtime-execute.js'
import { RunningJobs, type ActiveJob } from './runtime-running.js'
import type { StartedJob } from './stage.js'

export type { ActiveJob } from './runtime-running.js'

export type WorkersOptions = {
  readonly backend: QueueBackend
  readonly stages: readonly { readonly stage: JobStage; readonly concurrency?: number; readonly policy?: StagePolicy }[]
  readonly run: Run
  readonly log: Log
  /** Names this process in the queue's dashboards. */
  readonly name: string
  /** Milliseconds after which a silent worker's job is given to another. */
  readonly lockMs?: number
  /** Milliseconds that a job gets to wind up after its signal fired. */
  readonly settleMs?: number
  /** Frees what a job holds that is handed back unfinished, at a shutdown; it rejects never. */
  readonly letGo?: (job: StartedJob) => Promise<void>
  /** A job whose worker died was put back. */
  readonly onStalled?: (stage: JobStage) => void
  /** The queue ended a job that its workers kept dying on, without running it again. */
  readonly onGivenUp?: (job: StageJob & { readonly stage: JobStage }, reason: string) => void
  /** Every error of the queue, unthrottled; the log gets each at most every few seconds. */
  readonly onError?: (error: PipelineError) => void
}

export type WorkersHandle = {
  /**
   * Takes no further job, waits up to `graceMs` milliseconds for those that run, stops the rest and hands them back so
   * that another worker takes them at once. Ends within about 10 s of the grace even when the server is away.
   */
  drain(graceMs: number): Promise<void>
  /** The same without grace. */
  close(): Promise<void>
  /** Fires the signals of the jobs that match; gives how many. What becomes of them is the runner's to say. */
  cancel(match: (job: StartedJob) => boolean): number
  active(): readonly ActiveJob[]
  isRunning(): boolean
  /** Milliseconds since the most silent stage last heard from the queue; a worker that is stuck or cut off grows old. */
  progressAgeMs(): number
}

const SETTLE_MS = 2_000
const HAND_BACK_MS = 5_000
const GIVE_UP_MS = 3_000

/** Starts a worker a stage. The server is expected to be reachable now; later it may go and come back. */
export function startWorkers(o: WorkersOptions): WorkersHandle {
  const running = new RunningJobs()
  const settleMs = o.settleMs ?? SETTLE_MS
  let draining: Promise<void> | null = null
  const execution = {
    run: o.run, running, settleMs, lockMs: o.lockMs ?? DEFAULT_LOCK_MS, isDraining: () => draining !== null,
    letGo: o.letGo ?? (() => Promise.resolve()),
    onForeign: foreignReporter(o.log),
  }
  const workers = o.stages.map(({ stage, concurrency, policy = POLICY[stage] }) => {
    const worker: StageWorker = o.backend.worker({
      stage, policy, name: o.name, lockMs: execution.lockMs, concurrency: concurrency ?? policy.concurrency,
      process: (job, token) => execute(execution, { worker, job, token }),
    })
    listen(worker, running, o)
    return worker
  })
  const drain = (graceMs: number): Promise<void> => (draining ??= shutDown(workers, running, graceMs, settleMs, o.log))
  return {
    drain,
    close: () => drain(0),
    cancel: (match) => {
      const matching = running.all.filter(({ job }) => match(job))
      for (const one of matching) one.stop('cancelled')
      return matching.length
    },
    active: () => running.all,
    isRunning: () => draining === null && workers.every((worker) => worker.isRunning()),
    progressAgeMs: () => Math.max(0, ...workers.map((worker) => worker.silentMs)),
  }
}

function listen(worker: StageWorker, running: RunningJobs, o: WorkersOptions): void {
  const { stage } = worker
  worker.on('error', errorReporter({ at: o.backend.at, stage, log: o.log, ...(o.onError ? { onError: o.onError } : {}) }))
  worker.on('lockRenewalFailed', (ids) => {
    for (const id of ids) {
      o.log.warn('job.lock_lost', { stage, jobId: id })
      running.get(id)?.stop('lost')
    }
  })
  worker.on('stalled', (jobId) => {
    o.log.warn('job.stalled', { stage, jobId })
    o.onStalled?.(stage)
  })
  worker.on('failed', (job, error) => {
    if (job && GIVEN_UP.has(error.message)) givenUp(stage, job, error.message, o)
  })
}

/** BullMQ's sentences for a job that it ends without running it. */
const GIVEN_UP = new Set(['job stalled more than allowable limit', 'job started more than allowable limit'])

function givenUp(stage: JobStage, job: BullJob, reason: string, o: WorkersOptions): void {
  o.log.error('job.given_up', { stage, jobId: job.id, reason })
  const payload = payloadOf(job)
  if (payload) o.onGivenUp?.({ ...payload, stage }, reason)
}

/** Null for a payload that this program does not understand: its row is for reconcile, and for a program that does. */
function payloadOf(job: BullJob): StageJob | null {
  try {
    return decodeStageJob(job.data)
  } catch {
    return null
  }
}

async function shutDown(
  workers: readonly StageWorker[], running: RunningJobs, graceMs: number, settleMs: number, log: Log,
): Promise<void> {
  // Closing stops the fetch at once and waits for the jobs that run; their locks are renewed meanwhile.
  const closed = Promise.all(workers.map((worker) => worker.close()))
  if (await settles(closed, graceMs)) return
  const rest = running.all
  log.info('workers.hand_back', { jobs: rest.length })
  for (const one of rest) one.stop('shutdown')
  if (await settles(closed, settleMs + HAND_BACK_MS)) return
  for (const worker of workers) worker.giveUp()
  if (await settles(closed, GIVE_UP_MS)) return
  // The server is away: what is not handed back is found by its expired lock.
  log.warn('workers.abandoned', { jobs: running.all.length })
  await settles(Promise.all(workers.map((worker) => worker.disconnect())), 1_000)
}
