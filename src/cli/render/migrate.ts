import type { StoredReport } from '../../domain/migration.js'
import { isoOfUs } from '../../domain/month.js'
import { partitionKeyOf } from '../../domain/partition.js'
import type { MonthToMigrate } from '../../lake/plan-migrations.js'
import { formatCount, formatSeconds, plural } from './format.js'

/** Rows past retention before and after, of the months that had some. */
export type MigrationFigures = {
  readonly months: number
  readonly rows: number
  readonly removed: number
  readonly built: number
  readonly kept: number
  readonly differing: number
  /** Months that stay since they failed or are in quarantine. */
  readonly failed: number
}

/** `Would compare 2 months, 89,280 rows, and build 1. Nothing was changed.` */
export function renderToMigrate(months: readonly MonthToMigrate[]): string {
  const of = (kind: MonthToMigrate['step']['kind']): readonly MonthToMigrate[] =>
    months.filter(({ step }) => step.kind === kind)
  const rows = of('reconcile').reduce((sum, month) => sum + month.rows, 0)
  const rest = [['build', 'build'], ['join', 'wait for'], ['wait', 'leave']] as const
  const more = rest.flatMap(([kind, verb]) => (of(kind).length > 0 ? [`${verb} ${formatCount(of(kind).length)}`] : []))
  const what = [`compare ${plural(of('reconcile').length, 'month')}, ${plural(rows, 'row')}`, ...more].join(', ')
  return months.length === 0 ? 'No hot row is past retention.' : `Would ${what}. Nothing was changed.`
}

/** What a migration came to. */
export function renderMigrations(f: MigrationFigures, seconds: number): readonly string[] {
  if (f.months === 0) return ['No hot row is past retention.']
  const built = f.built > 0 ? `, ${plural(f.built, 'late month')} built from hot rows` : ''
  const kept = f.kept > 0 ? ` ${plural(f.kept, 'row')} past retention ${f.kept === 1 ? 'stays' : 'stay'}.` : ''
  const done = `Let ${plural(f.removed, 'row')} of ${plural(f.months, 'month')} go in ${formatSeconds(seconds)}${built}.${kept}`
  const differing = f.differing > 0 ? [`${plural(f.differing, 'row')} differed. See: candlelake hot reports`] : []
  const failed = f.failed > 0 ? [`${plural(f.failed, 'month')} failed. See: candlelake quarantine list`] : []
  return [done, ...differing, ...failed]
}

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
