import { setTimeout as sleep } from 'node:timers/promises'
import type { StoredReport } from '../../domain/migration.js'
import { parseInterval } from '../../domain/interval.js'
import { partitionKeyOf, type Series } from '../../domain/partition.js'
import { isSelected, parseSelection } from '../../domain/selection.js'
import { JOB_STAGES, STAGE_OF, type State } from '../../domain/states.js'
import type { MonthToMigrate } from '../../lake/plan-migrations.js'
import type { App } from '../app.js'
import type * as Rendering from '../render/migrate.js'
import {
  DRY_RUN, EXIT_ERROR, EXIT_INTERRUPTED, listFlag, type CommandSpec, type Context, type FlagValues,
} from '../command.js'
import { graceMsOf } from '../interrupts.js'
import { at, concurrencyOf } from '../request-flags.js'

export const migrate: CommandSpec = {
  name: 'migrate',
  sentence: 'Compares hot rows older than HOT_DAYS with their verified months and lets them go; late months are built.',
  example: 'candlelake migrate --symbols BTCUSDT --intervals 1m --dry-run',
  flags: [
    { flag: '--symbols <list>', help: "names, globs, exclusions: BTCUSDT,'*USDT','!*DOWNUSDT' (default: all)", list: true },
    { flag: '--intervals <list>', help: '1m,1h (default: all)', list: true },
    DRY_RUN,
    { flag: '--detach', help: 'enqueue only; workers elsewhere do the rest' },
    { flag: '--concurrency <list>', help: 'jobs at once: 4 for every stage, or migrate=2 (default: settings)', list: true },
  ],
  exits: [
    [0, 'done; what is late stays'], EXIT_ERROR, [2, 'some rows differ from their month, or a month failed'],
    EXIT_INTERRUPTED,
  ],
  works: true,
  run,
}

const ASK_AGAIN_MS = 250

async function run(context: Context, flags: FlagValues): Promise<number> {
  const startedMs = Date.now()
  const matches = matcherOf(flags)
  const concurrency = concurrencyOf(flags)
  const app = await context.openApp()
  const wanted = await app.migrations(matches)
  const render = await import('../render/migrate.js')
  if (flags['dryRun'] === true) {
    tell(context, render, wanted, [])
    if (context.out.json) context.out.resultJson({ v: 1, type: 'summary', dryRun: true, months: wanted.length })
    else context.out.result(render.renderToMigrate(wanted))
    return 0
  }
  const before = await app.newestHotReport()
  const jobs = await app.enqueueMigrations(wanted.map(({ partition }) => partition))
  if (flags['detach'] === true) {
    if (context.out.json) context.out.resultJson({ v: 1, type: 'summary', detached: true, months: wanted.length })
    else context.out.result(render.renderDetached(wanted.length))
    return 0
  }
  if (jobs.length > 0) await work(context, app, { jobs, wanted, concurrency })
  const left = await app.migrations(matches)
  const keys = new Set(wanted.map(({ partition }) => partitionKeyOf(partition)))
  const reports = (await app.hotReports(placesOf(wanted), before))
    .filter(({ partition }) => keys.has(partitionKeyOf(partition)))
  const stay = left.filter(({ partition }) => keys.has(partitionKeyOf(partition)))
  tell(context, render, stay, reports)
  const failures = await failuresOf(app, jobs, stay)
  tellFailures(context, render, failures)
  const refused = await countOf(app, stay, (state) => state === 'failed' || state === 'quarantined')
  const failed = refused + failures.length
  const figures = { ...figuresOf(wanted, stay, reports), failed }
  const seconds = (Date.now() - startedMs) / 1_000
  if (context.out.json) context.out.resultJson({ v: 1, type: 'summary', dryRun: false, ...figures, seconds })
  else context.out.result(...render.renderMigrations({ ...figures, refused }, seconds))
  const { ending } = context.interrupts
  return ending?.code ?? (figures.differing > 0 || failed > 0 ? 2 : 0)
}

type Jobs = Awaited<ReturnType<App['enqueueMigrations']>>

/** Jobs that gave up on a month that stays: no state of the month says so. */
async function failuresOf(app: App, jobs: Jobs, stay: readonly MonthToMigrate[]): Promise<Rendering.Failure[]> {
  const keys = new Set(stay.map(({ partition }) => partitionKeyOf(partition)))
  const asked = jobs.filter(({ partition }) => keys.has(partitionKeyOf(partition)))
  if (asked.length === 0) return []
  const found = await (await app.queue()).failures(asked)
  return found.map(({ job, why }) => ({ partition: partitionKeyOf(job.partition), why }))
}

function tellFailures(
  { out }: Context, { failureLine }: typeof Rendering, failures: readonly Rendering.Failure[],
): void {
  for (const failure of failures) {
    if (out.json && !out.quiet) out.resultJson({ v: 1, type: 'failure', ...failure })
    else if (!out.json) out.result(failureLine(failure, out.width, out.paint.out))
  }
}

type Work = {
  readonly jobs: Jobs
  readonly wanted: readonly MonthToMigrate[]
  readonly concurrency: ReturnType<typeof concurrencyOf>
}

/** Works in every stage until no job is left, and no month on its way that the jobs handed on. */
async function work(context: Context, app: App, { jobs, wanted, concurrency }: Work): Promise<void> {
  const { signal } = context.interrupts
  await app.claimLake()
  const workers = await app.startWorkers({ stages: JOB_STAGES, concurrency })
  try {
    const queue = await app.queue()
    while (!signal.aborted) {
      if ((await queue.alive(jobs)).length === 0 && !(await isUnderway(app, wanted))) break
      await sleep(ASK_AGAIN_MS, undefined, { signal }).catch(() => undefined)
    }
  } finally {
    await workers.drain(graceMsOf(context.interrupts, app.config.shutdownGraceSeconds))
  }
}

async function isUnderway(app: App, wanted: readonly MonthToMigrate[]): Promise<boolean> {
  const built = wanted.filter(({ step }) => step.kind === 'build' || step.kind === 'join')
  return (await countOf(app, built, (state) => STAGE_OF[state] !== null)) > 0
}

/** How many of the months are in such a state by the catalog. */
async function countOf(app: App, months: readonly MonthToMigrate[], isSuch: (state: State) => boolean): Promise<number> {
  if (months.length === 0) return 0
  const keys = new Set(months.map(({ partition }) => partitionKeyOf(partition)))
  let count = 0
  for await (const { partition, state } of (await app.keeper()).partitions(placesOf(months))) {
    if (isSuch(state) && keys.has(partitionKeyOf(partition))) count++
  }
  return count
}

/** Lets through these months, and some others. */
function placesOf(months: readonly MonthToMigrate[]): { symbols: string[]; months: string[] } {
  const of = (part: 'symbol' | 'month'): string[] => [...new Set(months.map(({ partition }) => partition[part]))]
  return { symbols: of('symbol'), months: of('month') }
}

/** @throws {BAD_SYMBOL, BAD_INTERVAL} */
function matcherOf(flags: FlagValues): (series: Series) => boolean {
  const words = listFlag(flags, 'symbols')
  const symbols = words.length === 0 ? null : at('--symbols', () => parseSelection(words))
  const names = listFlag(flags, 'intervals').filter((name) => name !== 'all')
  const intervals = at('--intervals', () => names.map(parseInterval))
  return ({ symbol, interval }) =>
    (symbols === null || isSelected(symbols, symbol)) && (intervals.length === 0 || intervals.includes(interval))
}

function figuresOf(
  wanted: readonly MonthToMigrate[], stay: readonly MonthToMigrate[], reports: readonly StoredReport[],
): Omit<Rendering.MigrationFigures, 'failed' | 'refused'> {
  const rowsOf = (some: readonly MonthToMigrate[]): number => some.reduce((sum, { rows }) => sum + rows, 0)
  const [rows, kept] = [rowsOf(wanted), rowsOf(stay)]
  const built = stay.filter(({ step }) => step.kind === 'wait' && step.why === 'built').length
  const differing = reports.reduce((sum, one) => sum + one.differing, 0)
  return { months: wanted.length, rows, removed: Math.max(0, rows - kept), built, kept, differing }
}

type Renderer = Pick<typeof Rendering, 'reportJson' | 'differingLine' | 'monthLine'>

/** Every month that stays and every report, as JSON; as text only what differs, and with -v the rest. */
function tell(
  { out }: Context, { reportJson, differingLine, monthLine }: Renderer,
  stay: readonly MonthToMigrate[], reports: readonly StoredReport[],
): void {
  for (const { partition, ...month } of stay) {
    if (out.json && !out.quiet) out.resultJson({ v: 1, type: 'month', ...month, partition: partitionKeyOf(partition) })
    else if (!out.json && out.verbose) out.note(monthLine({ partition, ...month }))
  }
  for (const report of reports) {
    if (out.json && !out.quiet) out.resultJson(reportJson(report))
    else if (!out.json && report.differing > 0) out.result(differingLine(report))
  }
}
