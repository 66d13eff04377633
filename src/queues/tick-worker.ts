import { Worker, type IQueueBackend, type Job } from 'bullmq'
import { PipelineError } from '../domain/errors.js'
import type { Task } from '../domain/ports/schedules.js'
import { decodeTask, type ScheduleJobData } from '../jobs/schedule-job.js'
import { locksOf, MAX_STALLED_COUNT } from './policy.js'
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
  /** Takes no more ticks, stops those that run, and resolves when they have ended. */
  close(): Promise<void>
}

/** Runs ticks; of one schedule one at a time in this process, the others are let go. */
export function startTicks(server: Server, o: TickWorkerOptions): TickWorker {
  const stopped = new AbortController()
  const running = new Set<string>()
  const process = async ({ repeatJobKey: name = '', data }: Job<ScheduleJobData>): Promise<void> => {
    if (running.has(name)) return
    running.add(name)
    try {
      await o.run(name, decodeTask(data), stopped.signal)
    } finally {
      running.delete(name)
    }
  }
  const worker = new Worker<ScheduleJobData, void, string, IQueueBackend, number, unknown>(SCHEDULES, process, {
    ...server.options, ...locksOf(o.lockMs), name: o.name, concurrency: o.concurrency,
    maxStalledCount: MAX_STALLED_COUNT, drainDelay: 1,
  }, server.factory)
  worker.on('error', o.onError)
  return {
    close: async () => {
      stopped.abort(new PipelineError('INTERRUPTED', 'the schedules are being stopped'))
      await worker.close()
    },
  }
}
