import type { JobSchedulerJson } from 'bullmq'
import { clip } from '../domain/dataset.js'
import { asPipelineError, PipelineError } from '../domain/errors.js'
import type { ScheduleEntry, Schedules, Task } from '../domain/ports/schedules.js'
import { decodeTask, encodeTask } from '../jobs/schedule-job.js'
import type { QueueBackend } from './queue-backend.js'
import { isUnreachable, within } from './queue-error.js'

const CALL_MS = 10_000
const NAME = /^[a-z0-9][a-z0-9_-]{0,39}$/
/** Ticks that are kept to be looked at; the next tick does what a failed one did not. */
const KEEP = { removeOnComplete: { count: 20 }, removeOnFail: { count: 100 } } as const

/**
 * Schedules as BullMQ's job schedulers: one delayed job each, whose id is its time, so that however many workers there
 * are each tick is one job. The next one is made when one starts, from that moment on: ticks that nobody was there for
 * come as one.
 */
export function openSchedules(backend: QueueBackend): Schedules {
  const call = <T>(work: () => Promise<T>): Promise<T> => within(CALL_MS, backend.at, work)
  const queue = () => backend.schedules()
  return {
    async put({ name, cron, task }) {
      if (!NAME.test(name)) throw badUsage(`"${clip(name)}" is not a name`, '--name', 'use a-z, 0-9, - and _')
      // Its parser would take fewer fields, and every second for what is left out.
      if (!/^\S+( \S+){4,5}$/.test(cron)) throw badCron(cron)
      const template = { name: task.kind, data: encodeTask(task), opts: { attempts: 1, ...KEEP } }
      await call(async () => {
        try {
          await queue().upsertJobScheduler(name, { pattern: cron, tz: 'UTC' }, template)
        } catch (thrown) {
          throw isUnreachable(thrown) ? thrown : badCron(cron, thrown)
        }
      })
    },
    async get(name) {
      const found = await call(() => queue().getJobScheduler(name))
      return found ? entryOf(found) : null
    },
    async list() {
      const found = await call(() => queue().getJobSchedulers())
      return found.map(entryOf).sort((a, b) => (a.name < b.name ? -1 : 1))
    },
    remove: (name) => call(() => queue().removeJobScheduler(name)),
  }
}

const entryOf = ({ key, pattern = '', next, template }: JobSchedulerJson): ScheduleEntry =>
  ({ name: key, cron: pattern, task: taskOf(template?.data), next: next === undefined ? null : new Date(next) })

/** One that a newer program wrote keeps no other from being shown. */
function taskOf(data: unknown): Task | null {
  try {
    return decodeTask(data)
  } catch (thrown) {
    if (asPipelineError(thrown).code === 'BAD_JOB') return null
    throw thrown
  }
}

const badUsage = (message: string, at: string, what: string, cause?: unknown): PipelineError =>
  new PipelineError('BAD_USAGE', message, { at, do: what }, cause)

const badCron = (cron: string, cause?: unknown): PipelineError =>
  badUsage(`"${clip(cron)}" is not a time pattern`, '--cron', 'use five fields in UTC, like "30 4 * * *"', cause)
