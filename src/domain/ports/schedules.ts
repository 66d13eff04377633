import type { Interval } from '../interval.js'
import type { Series } from '../partition.js'

/**
 * `tail`: hot rows up to now. `months`: what the archive has published, as an incremental run. `migrate`: hot rows past
 * retention into their months.
 */
export const TASK_KINDS = ['tail', 'months', 'migrate'] as const
export type TaskKind = (typeof TASK_KINDS)[number]

/** What is done at each tick, for every symbol and interval. */
export type Task = {
  readonly kind: TaskKind
  readonly dataset: Series['dataset']
  readonly symbols: readonly string[]
  readonly intervals: readonly Interval[]
}

/** A task and when: `cron` is of five fields, or six with seconds first, in UTC. */
export type Schedule = { readonly name: string; readonly cron: string; readonly task: Task }

/** A schedule as it is kept; `task` is null where another version wrote it, `next` is when it ticks next. */
export type ScheduleEntry = Omit<Schedule, 'task'> & { readonly task: Task | null; readonly next: Date | null }

/** What is done again and again, kept with the queues. All @throws {QUEUE_UNREACHABLE}. */
export interface Schedules {
  /** Adds a schedule, or replaces the one of its name. @throws {BAD_USAGE} */
  put(schedule: Schedule): Promise<void>
  get(name: string): Promise<ScheduleEntry | null>
  /** In order of names. */
  list(): Promise<readonly ScheduleEntry[]>
  /** Gives whether there was one. */
  remove(name: string): Promise<boolean>
}
