import type { Workers } from '../src/cli/app.js'
import { openApp } from '../src/compose.js'
import type { Config } from '../src/config.js'
import type { Dataset } from '../src/domain/dataset.js'
import type { Interval } from '../src/domain/interval.js'
import type { Log, WorkEvent } from '../src/domain/ports/observe.js'
import type { Run } from '../src/domain/ports/plan-catalog.js'
import { STAGES } from '../src/jobs/stages.js'
import { timed } from './interleave.js'

/** What to backfill: these symbols' klines of one interval, months inclusive. */
export type WantedRun = {
  /** Default: spot klines. */
  readonly dataset?: Dataset
  readonly symbols: readonly string[]
  readonly interval: Interval
  readonly firstMonth: string
  readonly lastMonth: string
  /** How many partitions that is. */
  readonly partitions: number
}

/** Seconds of a backfill, and of its parts: until the plan stood, and what the stages' jobs took, added up. */
export type PipelineTimes = {
  readonly seconds: number
  readonly planSeconds: number
  readonly jobSeconds: Readonly<Record<string, number>>
}

/**
 * Plans and works a run off as `candlelake backfill` does, through queues and catalog, in this process. The clock runs
 * from the plan to the last partition; opening the database and the queues, which takes as long for one partition as
 * for ten thousand, is not in it.
 */
export async function runPipeline(config: Config, wanted: WantedRun): Promise<PipelineTimes> {
  const jobSeconds: Record<string, number> = {}
  let left = wanted.partitions
  let finished: () => void = () => undefined
  let failed: (why: Error) => void = () => undefined
  const done = new Promise<void>((resolve, reject) => ([finished, failed] = [resolve, reject]))
  const observe = (event: WorkEvent): void => {
    if (event.type === 'job') jobSeconds[event.stage] = (jobSeconds[event.stage] ?? 0) + event.seconds
    if (event.type !== 'finished') return
    if (event.state !== 'verified') failed(new Error(`${event.partition.symbol} ${event.partition.month} is ${event.state}: ${event.message}`))
    if (--left === 0) finished()
  }
  const app = openApp({ config, log: SILENT, observe })
  let workers: Workers | undefined
  try {
    await Promise.all([app.plans(), app.queue()])
    let planSeconds = 0
    const seconds = await timed(async () => {
      planSeconds = await timed(async () => void (await planRun(app, wanted)))
      workers = await app.startWorkers({ stages: STAGES, concurrency: {} })
      await done
    })
    return { seconds, planSeconds, jobSeconds }
  } finally {
    await workers?.drain(5_000)
    await app.close()
  }
}

/** Makes a run of what is wanted, all of which must be to do. */
export async function planRun(app: ReturnType<typeof openApp>, wanted: WantedRun): Promise<Run> {
  const { dataset = 'spot-klines', symbols: names, interval, firstMonth, lastMonth } = wanted
  const request = { dataset, symbols: { names }, intervals: [interval], firstMonth, lastMonth } as const
  const report = await app.plan(request, {
    dryRun: false, force: false, asked: {}, signal: new AbortController().signal, onProgress: () => undefined,
  })
  if (report.run && report.todo === wanted.partitions) return report.run
  throw new Error(`${report.todo} partitions were planned, not ${wanted.partitions}`)
}

/** What goes wrong is to be seen; all else would be measured too. */
export const SILENT: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: (event, fields) => console.error(event, fields),
  error: (event, fields) => console.error(event, fields),
}
