import type { RunProgress } from '../../domain/ports/plan-catalog.js'
import type { App, PlanReport } from '../app.js'
import { DRY_RUN, EXIT_ERROR, EXIT_INTERRUPTED, type CommandSpec, type Context, type FlagValues } from '../command.js'
import { concurrencyOf, REQUEST_FLAGS, requestOf } from '../request-flags.js'

export const backfill: CommandSpec = {
  name: 'backfill',
  sentence: 'Brings months of candles from the archive into the lake, verified; the same command again resumes.',
  example: 'candlelake backfill --symbols BTCUSDT,ETHUSDT --intervals 1m,1h --to 2024-12',
  flags: [
    ...REQUEST_FLAGS,
    DRY_RUN,
    { flag: '--detach', help: 'plan and enqueue only; workers elsewhere do the rest' },
    { flag: '--force', help: 'do finished partitions again, quarantined ones too' },
    {
      flag: '--concurrency <list>',
      help: 'jobs at once: 4 for every stage, or convert=2,download=8 (default: settings)',
      list: true,
    },
  ],
  exits: [
    [0, 'all verified, provisional or absent; with --detach: enqueued'],
    EXIT_ERROR,
    [2, 'some quarantined or failed'],
    [3, 'only late ones remain'],
    EXIT_INTERRUPTED,
  ],
  works: true,
  run,
}

async function run(context: Context, flags: FlagValues): Promise<number> {
  const startedMs = Date.now()
  const { EventRelay, reportRun, workRun } = await import('../work-run.js')
  const concurrency = concurrencyOf(flags)
  const request = await requestOf(flags, startedMs, readStdin)
  const events = new EventRelay()
  const app = await context.openApp({ observe: events.observe })
  // Who only plans need not reach the lake; workers elsewhere look at it.
  if (flags['dryRun'] !== true && flags['detach'] !== true) await app.claimLake()
  const report = await plan(context, app, flags, request)
  for (const series of report.unknown) context.out.note(`! ${series}  the archive has no file of it`)
  if (report.run === null) return await sayDryRun(context, app, report)
  const progress = await (await app.plans()).progress(report.run.id)
  await sayPlanned(context, report, progress, startedMs)
  if (flags['detach'] === true) return detached(context, report, report.run.id)
  // What joined partitions still lack is not known.
  const downloadBytes = report.joined > 0 || report.unlisted === report.todo ? null : report.downloadBytes
  const { summary } = await workRun(context, {
    app,
    events,
    runId: report.run.id,
    downloadBytes,
    concurrency,
    startedMs,
  })
  return reportRun(context, summary)
}

type Request = Parameters<App['plan']>[0]

async function plan({ out, interrupts }: Context, app: App, flags: FlagValues, request: Request): Promise<PlanReport> {
  const { openPlanningLine } = await import('../planning-line.js')
  const line = await openPlanningLine(out)
  try {
    return await app.plan(request, {
      dryRun: flags['dryRun'] === true, force: flags['force'] === true, signal: interrupts.signal,
      asked: askedOf(flags), onProgress: (figures) => line.show(figures.partitions),
    })
  } finally {
    line.end()
  }
}

/** The request as it was typed, for the run's row. */
function askedOf(flags: FlagValues): Readonly<Record<string, unknown>> {
  const names = ['market', 'type', 'symbols', 'intervals', 'from', 'to', 'force']
  return Object.fromEntries(names.filter((name) => flags[name] !== undefined).map((name) => [name, flags[name]]))
}

async function sayDryRun({ out }: Context, app: App, report: PlanReport): Promise<number> {
  const { estimateOf } = await import('../estimate.js')
  const { renderDryRun } = await import('../render/plan.js')
  const groups = await (await app.keeper()).summary()
  const sum = (field: 'bytesIn' | 'bytesOut'): number => groups.reduce((total, group) => total + group[field], 0)
  const experience = { bytesIn: sum('bytesIn'), bytesOut: sum('bytesOut') }
  const estimate = estimateOf(report, experience, app.config.convertConcurrency)
  if (out.json) {
    const { partitions: total, todo, joined, done, freeBytes } = report
    out.resultJson({ v: 1, type: 'plan', total, todo: todo + joined, done, ...estimate, freeBytes })
  } else out.result(...renderDryRun(report, estimate))
  return 0
}

async function sayPlanned(
  { out }: Context,
  report: PlanReport,
  progress: RunProgress,
  startedMs: number,
): Promise<void> {
  if (out.json) return
  const { renderPlanned } = await import('../render/plan.js')
  const seconds = (Date.now() - startedMs) / 1_000
  out.note(renderPlanned(report, { verified: progress.states.verified, seconds }))
  if (report.todo + report.joined === 0) out.note('Nothing to do.')
}

function detached({ out }: Context, report: PlanReport, runId: string): number {
  if (out.json)
    out.resultJson({ v: 1, type: 'run', run: runId, total: report.partitions, todo: report.todo + report.joined })
  else out.result(runId)
  return 0
}

async function readStdin(): Promise<string> {
  let text = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) text += String(chunk)
  return text
}
