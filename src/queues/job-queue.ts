import type { JobType } from 'bullmq'
import type { JobQueue, QueueCounts } from '../domain/ports/job-queue.js'
import type { Job } from '../domain/ports/plan-catalog.js'
import { encodeStageJob, jobIdOf } from '../jobs/stage-job.js'
import { JOB_STAGES, type JobStage } from '../jobs/stages.js'
import type { QueueBackend } from './queue-backend.js'
import { PRIORITY } from './policy.js'
import { within } from './queue-error.js'

/** Jobs a call: 1,000 take 50-100 ms on either backend, and no more than that waits behind them. */
const CHUNK = 1_000

const LOOK_MS = 10_000

/** The sending side of the queues. Closing it closes the backend. */
export function openJobQueue(backend: QueueBackend): JobQueue {
  return {
    async enqueue(jobs) {
      for (const { stage, chunk } of chunks(jobs)) {
        const stored = chunk.map((job) => ({
          id: jobIdOf(stage, job.partition, job.generation),
          data: encodeStageJob(job),
          priority: PRIORITY[job.kind],
        }))
        // A finished job of the same id would swallow the new one. It is removed first, and only while it is finished.
        await backend.forgetFinished(stage, stored.map((job) => job.id))
        await backend.add(stage, stored)
      }
    },

    async counts() {
      const counts = await Promise.all(JOB_STAGES.map(async (stage) => [stage, await countsOf(backend, stage)] as const))
      return Object.fromEntries(counts) as Record<JobStage, QueueCounts>
    },

    async alive(jobs) {
      const alive: Omit<Job, 'kind'>[] = []
      for (const { stage, chunk } of chunks(jobs)) {
        const ids = chunk.map((job) => jobIdOf(stage, job.partition, job.generation))
        const found = await backend.alive(stage, ids)
        alive.push(...chunk.filter((_, i) => found.has(ids[i] ?? '')))
      }
      return alive
    },

    async failures(jobs) {
      const found: { job: Omit<Job, 'kind'>; why: string }[] = []
      for (const job of jobs) {
        const why = await failureOf(backend, job)
        if (why !== null) found.push({ job, why })
      }
      return found
    },

    ping: () => backend.ping(),
    close: () => backend.close(),
  }
}

/** A queue that somebody paused counts its waiting jobs as paused on Postgres; `JobType` no longer names that state. */
const COUNTED = ['wait', 'prioritized', 'paused', 'active', 'delayed', 'completed', 'failed'] as JobType[]

async function countsOf(backend: QueueBackend, stage: JobStage): Promise<QueueCounts> {
  const counts = await within(LOOK_MS, backend.at, () => backend.queue(stage).getBackend().getCounts(COUNTED))
  const [wait = 0, prioritized = 0, paused = 0, active = 0, delayed = 0, completed = 0, failed = 0] = counts
  return { waiting: wait + prioritized + paused, active, delayed, completed, failed }
}

/** Null for a job that has not failed, and for one that is not there. */
async function failureOf(
  backend: QueueBackend, { stage, partition, generation }: Omit<Job, 'kind'>,
): Promise<string | null> {
  return await within(LOOK_MS, backend.at, async () => {
    const job = await backend.queue(stage).getJob(jobIdOf(stage, partition, generation))
    return job && (await job.isFailed()) ? job.failedReason : null
  })
}

/** Jobs by stage, at most `CHUNK` together, otherwise in the order given. */
function* chunks<J extends { readonly stage: JobStage }>(jobs: readonly J[]): Generator<{ stage: JobStage; chunk: readonly J[] }> {
  for (const stage of JOB_STAGES) {
    const ofStage = jobs.filter((job) => job.stage === stage)
    for (let from = 0; from < ofStage.length; from += CHUNK) yield { stage, chunk: ofStage.slice(from, from + CHUNK) }
  }
}
