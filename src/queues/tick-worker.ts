import { Worker, type IQueueBackend, type Job, type JobJson, type JobProgress } from 'bullmq'
import { setTimeout as sleep } from 'node:timers/promises'
import { PipelineError } from '../domain/errors.js'
import type { Task } from '../domain/ports/schedules.js'
import { decodeTask, type ScheduleJobData } from '../jobs/schedule-job.js'
import { locksOf, MAX_STALLED_COUNT } from './policy.js'
import { isUnreachable } from './queue-error.js'
import { settles } from './settles.js'
import type { Server } from './stage-worker.js'

/** The queue that schedules tick in. */
export const SCHEDULES = 'schedules'

export type TickWorkerOptions = {
  readonly name: string
  readonly lockMs: number
  /** Tasks at once in this process. */
  readonly concurrency: number
  /** What it rejects with is kept with the tick. */
  readonly run: (name: string, task: Task, signal: AbortSignal) => Promise<void>
  readonly onError: (error: Error) => void
}

export type TickWorker = {
  /** It takes ticks. */
  isRunning(): boolean
  /** Takes no more ticks, stops those that run, and resolves when they have ended. */
  close(): Promise<void>
}

const PAUSE_MS = 2_000
/** Of a server that is away, or that has only just come back, BullMQ may wait for ever. */
const CLOSE_MS = 5_000

/** What BullMQ gives where there is no tick, whatever its types say. */
type Tick = Job<ScheduleJobData, void>
const NO_TICK = undefined as unknown as Tick

class PatientWorker extends Worker<ScheduleJobData, void, string, IQueueBackend, JobProgress, unknown> {
  /** BullMQ alone asks an absent server again without a pause while a tick runs: see StageWorker. */
  protected override async moveToActive(token: string, name?: string): Promise<Tick> {
    try {
      return await super.moveToActive(token, name)
    } catch (thrown) {
      if (isUnreachable(thrown) && !this.closing) await sleep(PAUSE_MS)
      throw thrown
    }
  }

  /**
   * BullMQ alone drops a tick that it has taken when a full server will not store the next one: it came when its lock had
   * run out, 11 s after the server had room again. Here the next one is stored as soon as it can be; whose lock has run
   * out by then is left to whoever takes it over.
   */
  protected override async nextJobFromJobData(data?: JobJson, id?: string, token = ''): Promise<Tick> {
    const tick = (await super.nextJobFromJobData(data, id, token)) as Tick | undefined
    if (tick !== undefined || data === undefined || data === null) return tick ?? NO_TICK
    while (!this.closing) {
      await sleep(PAUSE_MS)
      const again = (await super.nextJobFromJobData(data, id, token)) as Tick | undefined
      const held = await again?.extendLock(token, this.opts.lockDuration ?? 0).catch(() => undefined)
      if (held !== undefined) return held > 0 && again !== undefined ? again : NO_TICK
    }
    return NO_TICK
  }
}

/** Runs ticks; of one schedule one at a time in this process, the others are let go. */
export function startTicks(server: Server, o: TickWorkerOptions): TickWorker {
  const stopped = new AbortController()
  const running = new Map<string, Promise<void>>()
  const process = async ({ repeatJobKey: name = '', data }: Job<ScheduleJobData>): Promise<void> => {
    if (running.has(name)) return
    const run = async (): Promise<void> => await o.run(name, decodeTask(data), stopped.signal)
    const ending = run().finally(() => running.delete(name))
    running.set(name, ending)
    await ending
  }
  const worker = new PatientWorker(SCHEDULES, process, {
    ...server.options, ...locksOf(o.lockMs), name: o.name, concurrency: o.concurrency,
    maxStalledCount: MAX_STALLED_COUNT, drainDelay: 1, runRetryDelay: PAUSE_MS,
  }, server.factory)
  worker.on('error', o.onError)
  return {
    isRunning: () => !stopped.signal.aborted && worker.isRunning(),
    close: async () => {
      stopped.abort(new PipelineError('INTERRUPTED', 'the schedules are being stopped'))
      const closed = worker.close()
      await Promise.allSettled(running.values())
      if (!(await settles(closed, CLOSE_MS))) await settles(worker.disconnect(), 1_000)
    },
  }
}
