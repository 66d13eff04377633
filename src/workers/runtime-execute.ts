import { UnrecoverableError } from 'bullmq'
import { setTimeout as sleep } from 'node:timers/promises'
import { asPipelineError, PipelineError, policyOf, type ErrorCode } from '../domain/errors.js'
import type { JobOutcome } from '../domain/ports/observe.js'
import { decodeStageJob, type StageJob } from '../jobs/stage-job.js'
import type { BullJob } from '../queues/stage-worker.js'
import { delay, directiveOf, handBack, letGo, settle, type Held } from './runtime-settle.js'
import { Running, type RunningJobs } from './runtime-running.js'
import type { Directive, StartedJob } from './stage.js'

export type Run = (job: StartedJob, signal: AbortSignal) => Promise<Directive>

export type Execution = {
  readonly run: Run
  readonly running: RunningJobs
  readonly lockMs: number
  /** Milliseconds that a stopped job gets to wind up, so that its lease is released before another worker starts. */
  readonly settleMs: number
  readonly isDraining: () => boolean
  /** A job of a newer program was met, and is left for a newer worker. */
  readonly onForeign: (error: PipelineError, jobId: string) => void
  /** Called before a job is handed back whose stage did not wind up: frees what it holds, for the next worker. */
  readonly letGo: (job: StartedJob) => Promise<void>
}

/** Runs one start of a job and tells the queue what becomes of it. */
export async function execute(o: Execution, held: Held): Promise<void> {
  // A worker that is closing may still be given the job that it was waiting for.
  if (o.isDraining()) return handBack(held)
  const id = held.job.id ?? ''
  const earlier = o.running.get(id)
  if (earlier) {
    // This process lost the job's lock and got the job anew. BullMQ tracks locks by id: two at once would share one.
    earlier.stop('lost')
    return delay(held, o.lockMs)
  }
  const job = startedJobOf(held)
  if (job instanceof PipelineError) {
    o.onForeign(job, held.job.id ?? '')
    return delay(held, job.retryAfterMs ?? o.lockMs)
  }
  const running = new Running(job)
  o.running.add(id, running)
  try {
    const directive = await directiveFor(o, running)
    if (directive && running.stopped === null) tellGate(held, directive)
    if (running.stopped === 'lost') return letGo()
    if (running.stopped === 'shutdown' && directive?.kind !== 'done') {
      if (directive === null) await Promise.race([o.letGo(running.job), sleep(o.settleMs, undefined, { ref: false })])
      return await handBack(held)
    }
    if (directive) return await settle(held, directive)
  } finally {
    o.running.remove(id)
  }
}

/**
 * Jobs that another worker has, or that had nothing to do, prove nothing; a partition that fails by itself had its
 * services.
 */
function tellGate({ worker: { gate } }: Held, directive: Directive): void {
  if (directive.kind === 'delay') {
    if (saysNo(directive.code)) gate.refused(directive.ms)
  } else if (directive.kind !== 'done' || !NOTHING_DONE.includes(directive.outcome)) gate.worked()
}

const NOTHING_DONE: readonly JobOutcome[] = ['skipped', 'fenced']

const saysNo = (code: ErrorCode): boolean => code !== 'LEASE_HELD' && policyOf(code).infrastructure === true

/** What the runner says, or null when it was stopped and did not wind up in time. */
async function directiveFor(o: Execution, running: Running): Promise<Directive | null> {
  const ran = o.run(running.job, running.signal).catch((thrown: unknown) => directiveOf(asPipelineError(thrown)))
  const ended = new AbortController()
  const late = new Promise<null>((resolve) => {
    running.signal.addEventListener('abort', () => {
      if (running.stopped === 'cancelled') return
      sleep(o.settleMs, null, { signal: ended.signal }).then(resolve, () => undefined)
    }, { once: true })
  })
  try {
    return await Promise.race([ran, late])
  } finally {
    ended.abort()
  }
}

/** The job as its stage takes it; the error when a newer program wrote it. */
function startedJobOf({ job, worker }: Held): StartedJob | PipelineError {
  const payload = decoded(job)
  if (payload instanceof PipelineError) return payload
  const attempt = job.attemptsMade
  return {
    ...payload,
    stage: worker.stage,
    attempt,
    lastAttempt: attempt + 1 >= worker.policy.attempts,
    waitSeconds: Math.max(0, (job.processedOn ?? job.timestamp) - job.timestamp) / 1_000,
  }
}

function decoded(job: BullJob): StageJob | PipelineError {
  try {
    return decodeStageJob(job.data)
  } catch (thrown) {
    const error = asPipelineError(thrown)
    if (error.code === 'JOB_NEWER') return error
    throw new UnrecoverableError(`${error.code}: ${error.message}`)
  }
}
