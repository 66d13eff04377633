import { Worker, type BackendFactory, type IQueueBackend, type Job, type JobJson, type JobProgress } from 'bullmq'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JobStage } from '../jobs/stages.js'
import type { StageJobData } from '../jobs/stage-job.js'
import { backoffMs, KEEP, locksOf, MAX_STALLED_COUNT, MAX_STARTED_ATTEMPTS, POLICY, type StagePolicy } from './policy.js'
import { isUnreachable } from './queue-error.js'
import { StageGate } from './stage-gate.js'

export type BullJob = Job<StageJobData, void, string>

/** What BullMQ needs to reach a server: its connection as the factory takes it, and the prefix of Redis keys. */
export type Server = {
  readonly options: { readonly connection: unknown; readonly prefix?: string }
  readonly factory: BackendFactory<IQueueBackend, unknown>
}

export type StageWorkerOptions = {
  readonly stage: JobStage
  readonly concurrency: number
  readonly lockMs: number
  /** Shown by Bull Board as the worker that ran a job. */
  readonly name: string
  /** Instead of the stage's own, e.g. with shorter waits. */
  readonly policy?: StagePolicy
  readonly process: (job: BullJob, token: string) => Promise<void>
}

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2_000

/**
 * An idle worker asks this often; on Postgres BullMQ would wait an hour for a delayed job, which looks like a dead
 * worker.
 */
const LONGEST_WAIT_SECONDS = 10

/** One hour of points a minute: without any, BullMQ's exported totals stay 0 and look healthy. */
const METRICS = { maxDataPoints: 60 }

/**
 * A BullMQ worker that sits out an absent server. BullMQ alone takes an error that is not ECONNREFUSED (a socket that
 * is gone, "out of memory", "the database system is starting up") for the job's own: it asks again without a pause, and
 * when it cannot record that a job is done it records a failure instead, which would spend an attempt.
 */
export class StageWorker extends Worker<StageJobData, void, string, IQueueBackend, JobProgress, unknown> {
  readonly stage: JobStage
  readonly policy: StagePolicy
  /** Who runs the jobs says what became of them; while it is closed no job is fetched. */
  readonly gate = new StageGate()
  #lastSign = Date.now()
  #failures = 0
  #given = false

  constructor(o: StageWorkerOptions, server: Server) {
    const policy = o.policy ?? POLICY[o.stage]
    super(
      o.stage,
      (job, token) => o.process(job, token ?? ''),
      {
        ...server.options,
        ...locksOf(o.lockMs),
        name: o.name,
        concurrency: o.concurrency,
        maxStalledCount: MAX_STALLED_COUNT,
        maxStartedAttempts: MAX_STARTED_ATTEMPTS,
        removeOnComplete: KEEP.completed,
        removeOnFail: KEEP.failed,
        runRetryDelay: LONGEST_PAUSE_MS,
        metrics: METRICS,
        settings: { backoffStrategy: (failures = 1, _type, error) => Math.max(backoffMs(policy, failures), askedFor(error)) },
      },
      server.factory,
    )
    this.stage = o.stage
    this.policy = policy
    this.on('locksRenewed', () => this.#sign())
  }

  /** Milliseconds since the queue last answered this worker: small while it is idle, busy or anything but cut off. */
  get silentMs(): number {
    return Date.now() - this.#lastSign
  }

  /** From now on nothing is tried twice: for a shutdown while the server is away. */
  giveUp(): void {
    this.#given = true
  }

  /** Runs a call again until the server answers, or until `giveUp`. */
  async persist<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const done = await call()
        this.#sign()
        return done
      } catch (thrown) {
        if (this.#given || !isUnreachable(thrown)) throw thrown
        this.emit('error', thrown as Error)
        await this.#pause()
      }
    }
  }

  /** The policy is the process's, not the job's: jobs need not carry it, and a new one holds for those that wait. */
  protected override createJob(data: JobJson, jobId: string): BullJob {
    const job = super.createJob(data, jobId)
    job.opts.attempts = this.policy.attempts
    job.opts.backoff = { type: 'capped' }
    job.opts.stackTraceLimit = 3
    return job
  }

  override close(force?: boolean): Promise<void> {
    const closed = super.close(force)
    this.gate.interrupt()
    return closed
  }

  /** BullMQ takes undefined for an empty queue, and then waits for the jobs in hand. */
  protected override async moveToActive(token: string, name?: string): Promise<BullJob> {
    const admitted = await this.gate.admits(() => !this.closing, () => this.#sign())
    if (!admitted) return undefined as unknown as BullJob
    try {
      const job = (await super.moveToActive(token, name)) as BullJob | undefined
      this.#sign()
      this.gate.fetched(job ?? null)
      return job as BullJob
    } catch (thrown) {
      this.gate.fetched(null)
      if (isUnreachable(thrown)) await this.#pause()
      throw thrown
    }
  }

  protected override getBlockTimeout(blockUntil: number): number {
    return Math.min(LONGEST_WAIT_SECONDS, super.getBlockTimeout(blockUntil))
  }

  protected override async handleCompleted(
    ...[result, job, token, fetchNext, span]: Parameters<Worker<StageJobData, void>['handleCompleted']>
  ): Promise<BullJob> {
    const next = await this.persist(() => super.handleCompleted(result, job, token, this.#whenOpen(fetchNext), span))
    return this.#handOver(job, next)
  }

  protected override async handleFailed(
    ...[error, job, token, fetchNext, span]: Parameters<Worker<StageJobData, void>['handleFailed']>
  ): Promise<BullJob> {
    try {
      const next = await this.persist(() => super.handleFailed(error, job, token, this.#whenOpen(fetchNext), span))
      return this.#handOver(job, next)
    } finally {
      this.gate.ended(job)
    }
  }

  /** The next job comes with the answer to the last one, past `moveToActive`: not while the gate is closed. */
  readonly #whenOpen = (fetchNext: () => boolean = () => true) => (): boolean => this.gate.isOpen && fetchNext()

  #handOver(ended: object, next: BullJob | undefined): BullJob {
    this.gate.fetched(next ?? null)
    this.gate.ended(ended)
    return next as BullJob
  }

  #sign(): void {
    this.#lastSign = Date.now()
    this.#failures = 0
  }

  async #pause(): Promise<void> {
    await sleep(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures++))
  }
}

function askedFor(error: Error | undefined): number {
  return error && 'retryAfterMs' in error && typeof error.retryAfterMs === 'number' ? error.retryAfterMs : 0
}
