import type { StoredReport } from '../../domain/migration.js'
import { isoOfUs } from '../../domain/month.js'
import { partitionKeyOf } from '../../domain/partition.js'
import type { MonthToMigrate } from '../../lake/plan-migrations.js'
import { renderFinding } from './findings.js'
import { formatCount, formatSeconds, plural } from './format.js'
import type { Paint } from './paint.js'

/** Rows past retention before and after, of the months that had some. */
export type MigrationFigures = {
  readonly months: number
  readonly rows: number
  readonly removed: number
  readonly built: number
  readonly kept: number
  readonly differing: number
  /** Months that stay since they failed, are in quarantine, or could not be compared or removed. */
  readonly failed: number
  /** Those of them that failed in a stage or are in quarantine. */
  readonly refused: number
}

const NOTHING = 'No hot row is past retention.'

/** `Would compare 2 months, 89,280 rows, build 1. Nothing was changed.` */
export function renderToMigrate(months: readonly MonthToMigrate[]): string {
  const of = (kind: MonthToMigrate['step']['kind']): readonly MonthToMigrate[] =>
    months.filter(({ step }) => step.kind === kind)
  const rows = of('reconcile').reduce((sum, month) => sum + month.rows, 0)
  const rest = [['build', 'build'], ['join', 'wait for'], ['wait', 'leave']] as const
  const more = rest.flatMap(([kind, verb]) => (of(kind).length > 0 ? [`${verb} ${formatCount(of(kind).length)}`] : []))
  const what = [`compare ${plural(of('reconcile').length, 'month')}, ${plural(rows, 'row')}`, ...more].join(', ')
  return months.length === 0 ? NOTHING : `Would ${what}. Nothing was changed.`
}

export const renderDetached = (months: number): string => (months === 0 ? NOTHING
  : `Enqueued ${plural(months, 'month')}. Work on ${months === 1 ? 'it' : 'them'} with: candlelake worker`)

/** What a migration came to. */
export function renderMigrations(f: MigrationFigures, seconds: number): readonly string[] {
  if (f.months === 0) return [NOTHING]
  const built = f.built > 0 ? `, ${plural(f.built, 'late month')} built from hot rows` : ''
  const kept = f.kept > 0 ? ` ${plural(f.kept, 'row')} past retention ${f.kept === 1 ? 'stays' : 'stay'}.` : ''
  const done = `Let ${plural(f.removed, 'row')} of ${plural(f.months, 'month')} go in ${formatSeconds(seconds)}${built}.${kept}`
  const differing = f.differing > 0 ? [`${plural(f.differing, 'row')} differed. See: candlelake hot reports`] : []
  const see = f.refused > 0 ? ' See: candlelake quarantine list' : ''
  const failed = f.failed > 0 ? [`${plural(f.failed, 'month')} failed.${see}`] : []
  return [done, ...differing, ...failed]
}

/** A month that stays: `spot-klines/BTCUSDT/1m/2024-01  44,640 rows: built`. */
export const monthLine = ({ partition, rows, step }: MonthToMigrate): string =>
  `${partitionKeyOf(partition)}  ${plural(rows, 'row')}: ${step.kind === 'wait' ? step.why : step.kind}`

/** A month whose job gave up, by its key, and what it said. */
export type Failure = { readonly partition: string; readonly why: string }

export const failureLine = ({ partition, why }: Failure, width: number | null, paint: Paint): string =>
  renderFinding({ partition, text: why, bad: true, width, paint })

/** A report as one object: instants are ISO 8601. */
export const reportJson = ({ id: _, partition, at: when, differences, ...report }: StoredReport): object => ({
  v: 1, type: 'report', partition: partitionKeyOf(partition), at: when.toISOString(), ...report,
  differences: differences.map(({ openTimeUs, ...one }) => ({ openTime: isoOfUs(openTimeUs), ...one })),
})

/** `spot-klines/BTCUSDT/1m/2024-01  2 of 44,640 rows differ: close is 7 and was 8 at …`. */
export function differingLine({ partition, hotRows, differing, differences }: StoredReport): string {
  const [first] = differences
  const what = first === undefined ? '' : first.column === null ? `: the month lacks ${isoOfUs(first.openTimeUs)}`
    : `: ${first.column} is ${first.warm} and was ${first.hot} at ${isoOfUs(first.openTimeUs)}`
  return `${partitionKeyOf(partition)}  ${formatCount(differing)} of ${formatCount(hotRows)} rows differ${what}`
}

/** A line for each report, and one for each of its differences. */
export function renderReports(reports: readonly StoredReport[]): readonly string[] {
  if (reports.length === 0) return ['Nothing was compared yet.']
  return reports.flatMap((report) => {
    const { partition, hotRows, differing, differences } = report
    const head = `${partitionKeyOf(partition)}  ${report.at.toISOString()}  ${plural(hotRows, 'row')}, ${formatCount(differing)} differing`
    const lines = differences.map(({ openTimeUs, column, hot, warm }) =>
      `  ${isoOfUs(openTimeUs)}  ${column === null ? 'the month lacks it' : `${column} ${warm}, was ${hot}`}`)
    return [head, ...lines]
  })
}
