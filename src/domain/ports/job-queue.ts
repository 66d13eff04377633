import type { JobStage } from '../states.js'
import type { Job } from './plan-catalog.js'

export type QueueCounts = {
  readonly waiting: number
  readonly active: number
  readonly delayed: number
  readonly completed: number
  readonly failed: number
}

/** The sending side of the queues. All @throws {QUEUE_UNREACHABLE}. */
export interface JobQueue {
  /** Adds jobs; one whose id is waiting, delayed or active is left as it is. */
  enqueue(jobs: readonly Job[]): Promise<void>
  counts(): Promise<Readonly<Record<JobStage, QueueCounts>>>
  /** Those of the given jobs that are waiting, delayed or active. */
  alive(jobs: readonly Omit<Job, 'kind'>[]): Promise<readonly Omit<Job, 'kind'>[]>
  /** Those of the given jobs that have failed for good, and with what: `OBJECT_ABSENT: there is no such object`. */
  failures(
    jobs: readonly Omit<Job, 'kind'>[],
  ): Promise<readonly { readonly job: Omit<Job, 'kind'>; readonly why: string }[]>
  ping(): Promise<void>
  close(): Promise<void>
}
