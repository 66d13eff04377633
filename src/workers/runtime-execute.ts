import { UnrecoverableError } from 'bullmq'
import { setTimeout as sleep } from 'node:timers/promises'
import { asPipelineError } from '../domain/errors.js'
import { decodeStageJob } from '../jobs/stage-job.js'
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
  /** Called before a job is handed back whose stage did not wind up: frees what it holds, or the next worker would wait. */
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
  const running = new Running(startedJobOf(held))
  o.running.add(id, running)
  try {
    const directive = await directiveFor(o, running)
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

function startedJobOf({ job, worker }: Held): StartedJob {
  const attempt = job.attemptsMade
  return {
    ...decoded(job),
    stage: worker.stage,
    attempt,
    lastAttempt: attempt + 1 >= worker.policy.attempts,
    waitSeconds: Math.max(0, (job.processedOn ?? job.timestamp) - job.timestamp) / 1_000,
  }
}

function decoded(job: BullJob): ReturnType<typeof decodeStageJob> {
  try {
    return decodeStageJob(job.data)
  } catch (thrown) {
    const error = asPipelineError(thrown)
    throw new UnrecoverableError(`${error.code}: ${error.message}`)
  }
}
