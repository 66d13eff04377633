import type { Queue } from 'bullmq'
import type pg from 'pg'
import type { PipelineError } from '../domain/errors.js'
import type { JobStage } from '../jobs/stages.js'
import type { StageJobData } from '../jobs/stage-job.js'
import type { StageWorker, StageWorkerOptions } from './stage-worker.js'
import type { TickWorker, TickWorkerOptions } from './tick-worker.js'

/** A queue as Bull Board takes it. Its type names BullMQ's Redis backend; on Postgres it has the other one. */
export type StageQueue = Queue

/** A job as it is stored: nothing that the policy says is repeated in it. */
export type StoredJob = { readonly id: string; readonly data: StageJobData; readonly priority: number }

/** The queues of one server: what BullMQ can do on both of its backends, and what each needs done its own way. */
export interface QueueBackend {
  readonly kind: 'redis' | 'postgres'
  /** `host:port`, or the folder of a socket; no credentials. */
  readonly at: string
  /** The stage's queue, one object a process: for counts and for Bull Board. */
  queue(stage: JobStage): StageQueue
  /** The queue of schedules, made when first asked for. */
  schedules(): StageQueue
  /** Runs ticks of schedules as soon as it is made. */
  ticks(o: TickWorkerOptions): TickWorker
  /** A worker that runs as soon as it is made. */
  worker(o: StageWorkerOptions): StageWorker
  /** Adds jobs in one call; ids that are there already are left alone. @throws {QUEUE_UNREACHABLE} */
  add(stage: JobStage, jobs: readonly StoredJob[]): Promise<void>
  /** Removes those jobs that are completed or failed, never one that waits or runs. @throws {QUEUE_UNREACHABLE} */
  forgetFinished(stage: JobStage, ids: readonly string[]): Promise<void>
  /** Those of the ids that wait, are delayed or run. @throws {QUEUE_UNREACHABLE} */
  alive(stage: JobStage, ids: readonly string[]): Promise<ReadonlySet<string>>
  /** What it is and where: `Redis 7.4.1 at cache:6379`. @throws {QUEUE_UNREACHABLE} */
  describe(): Promise<string>
  /** @throws {QUEUE_UNREACHABLE} after `timeoutMs` milliseconds at the latest */
  ping(): Promise<void>
  /** Closes queues and connections; workers are closed by whoever started them, before. */
  close(): Promise<void>
}

export type BackendOptions = {
  /** `redis://`, `rediss://` or `postgres://`; null for the Postgres given in `postgres`. */
  readonly url: string | null
  readonly postgres?: pg.PoolConfig | string
  /** What every Redis key starts with. */
  readonly prefix?: string
  /** The Postgres schema of the queues. */
  readonly schema?: string
  /** Most Postgres connections of this process for queues, LISTEN included. One worker holds one for LISTEN. */
  readonly maxConnections?: number
  /** PEM of a certificate authority to trust besides the system's, for `rediss://`. */
  readonly ca?: string
  /** Milliseconds that any one call may take. */
  readonly timeoutMs?: number
  /** Shown by the server: Postgres' application_name, Redis' client name. */
  readonly name?: string
  /** Errors that no call can report, such as a dropped idle connection. They may come in bursts. */
  readonly onError?: (error: PipelineError) => void
}
