import type { App } from './cli/app.js'
import type { Services } from './compose-services.js'
import type { Config } from './config.js'
import { asPipelineError, type ErrorCode, type PipelineError } from './domain/errors.js'
import { addMonths, monthOfMs } from './domain/month.js'
import { seriesKeyOf, type Series } from './domain/partition.js'
import type { Log, Observe, TickOutcome } from './domain/ports/observe.js'
import type { Task, TaskKind } from './domain/ports/schedules.js'
import { openSchedules } from './queues/schedules.js'
import type { TickWorker } from './queues/tick-worker.js'
import { workerName } from './queues/worker-name.js'

/** Schedules at work in one process at once. */
const AT_ONCE = 4

type Work = Pick<App, 'sync' | 'plan' | 'migrations' | 'enqueueMigrations'>
type ScheduleOptions = {
  readonly log: Log
  readonly observe: Observe
  /** Serves metrics and probes of the process, where they are asked for. */
  readonly serve: (handle: { silentMs(): number; isRunning(): boolean }) => Promise<{ close(): Promise<void> } | null>
}
type Figures = Readonly<Record<string, number>>

/** Schedules, and what their ticks do. */
export function composeSchedules(
  config: Config, services: Services, { log, observe, serve }: ScheduleOptions, work: Work,
): Pick<App, 'schedules' | 'runSchedules'> {
  return {
    schedules: async () => openSchedules(await services.backend()),
    runSchedules: async ({ onTick }) => {
      let ticks: TickWorker | undefined
      const served = await serve({ silentMs: () => 0, isRunning: () => ticks?.isRunning() ?? false })
      const backend = await services.backend()
      const started = (ticks = backend.ticks({
        name: workerName(), lockMs: config.jobLockSeconds * 1_000, concurrency: AT_ONCE,
        onError: (error) => log.warn('schedule.queue_error', { message: asPipelineError(error).message }),
        run: async (schedule, task, signal) => {
          const ended = (outcome: TickOutcome, code: ErrorCode | null): void =>
            observe({ type: 'tick', task: task.kind, outcome, code })
          try {
            const figures = await DOING[task.kind](work, task, signal, log)
            ended('ok', null)
            log.info('schedule.ticked', { schedule, kind: task.kind, ...figures })
            onTick({ schedule, kind: task.kind, ...figures })
          } catch (thrown) {
            const { code, message } = asPipelineError(thrown)
            ended(signal.aborted ? 'interrupted' : 'failed', code)
            if (signal.aborted) log.info('schedule.interrupted', { schedule, kind: task.kind })
            else log.error('schedule.failed', { schedule, kind: task.kind, code, message })
            throw thrown
          }
        },
      }))
      const close = async (): Promise<void> => {
        await started.close()
        await served?.close()
      }
      return { close }
    },
  }
}

const DOING: Readonly<Record<TaskKind, (work: Work, task: Task, signal: AbortSignal, log: Log) => Promise<Figures>>> = {
  tail: syncAll, months: planMonths, migrate: enqueueMigrations,
}

/** A tick that every series of it was refused has failed. */
async function syncAll(work: Work, task: Task, signal: AbortSignal, log: Log): Promise<Figures> {
  const sum = { series: 0, rows: 0, stored: 0, failed: 0 }
  let refused: PipelineError | undefined
  for await (const one of work.sync({ series: seriesOf(task), fromUs: null, signal })) {
    if ('refusal' in one) {
      const { code, message } = (refused = one.refusal)
      sum.failed++
      log.warn('schedule.series_failed', { series: seriesKeyOf(one.series), code, message })
      continue
    }
    sum.series++
    sum.rows += one.rows
    sum.stored += one.stored
  }
  if (sum.series === 0 && refused) throw refused
  return sum
}

const seriesOf = ({ dataset, symbols, intervals }: Task): Series[] =>
  symbols.flatMap((symbol) => intervals.map((interval) => ({ dataset, symbol, interval })))

/** What schedules of `tail` bring up to now. */
export async function tailedSeries(services: Services): Promise<readonly Series[]> {
  const schedules = await openSchedules(await services.backend()).list()
  return schedules.flatMap(({ task }) => (task?.kind === 'tail' ? seriesOf(task) : []))
}

/** The last two whole months: what was late last time is looked at again, and what is done is not done twice. */
async function planMonths(work: Work, task: Task, signal: AbortSignal): Promise<Figures> {
  const lastMonth = addMonths(monthOfMs(Date.now()), -1)
  const { dataset, symbols, intervals } = task
  const request = { dataset, symbols: { names: symbols }, intervals, firstMonth: addMonths(lastMonth, -1), lastMonth }
  const asked = { dataset, symbols, intervals, from: request.firstMonth, to: lastMonth }
  const options = { dryRun: false, force: false, kind: 'incremental', asked, signal, onProgress: () => undefined } as const
  const { todo, done } = await work.plan(request, options)
  return { todo, done }
}

/** Workers do the rest; a month whose job waits already has one. */
async function enqueueMigrations(work: Work, task: Task, signal: AbortSignal): Promise<Figures> {
  const keys = new Set(seriesOf(task).map(seriesKeyOf))
  const months = await work.migrations((series) => keys.has(seriesKeyOf(series)))
  signal.throwIfAborted()
  await work.enqueueMigrations(months.map(({ partition }) => partition))
  return { months: months.length, rows: months.reduce((sum, { rows }) => sum + rows, 0) }
}
