import { hotEtagOf } from '../domain/hot-source.js'
import { migrationStep, type MigrationStep } from '../domain/migration.js'
import { monthRange } from '../domain/month.js'
import { partitionKeyOf, type Partition, type Series } from '../domain/partition.js'
import type { DayContents, HotStore } from '../domain/ports/hot-store.js'
import type { PartitionSummary } from '../domain/ports/keeper-catalog.js'
import { sliceOf } from '../domain/slice.js'
import { isPast, retentionLimitUs } from './retention.js'

/** A month of a series with rows past retention: how many, of how many days, and what is to be done. */
export type MonthToMigrate = {
  readonly partition: Partition
  readonly days: number
  readonly rows: number
  readonly step: MigrationStep
}

export type PlanMigrationsPorts = {
  readonly hot: HotStore
  readonly rowOf: (p: Partition) => Promise<PartitionSummary | null>
  readonly hotDays: number
  readonly now: Date
}

/** Every such month whose series matches, by series and month. */
export async function planMigrations(
  { hot, rowOf, hotDays, now }: PlanMigrationsPorts, matches: (series: Series) => boolean,
): Promise<readonly MonthToMigrate[]> {
  const limitUs = retentionLimitUs(now, hotDays)
  const months = new Map<string, { partition: Partition; days: number; rows: number }>()
  for (const day of (await hot.partitions()).filter((one) => isPast(one, limitUs))) {
    for (const { series, rows } of (await hot.seriesOf(day)).filter((one) => matches(one.series))) {
      const partition = { ...series, month: day.slice(0, 7) }
      const month = months.get(partitionKeyOf(partition)) ?? { partition, days: 0, rows: 0 }
      months.set(partitionKeyOf(partition), { partition, days: month.days + 1, rows: month.rows + rows })
    }
  }
  const sorted = [...months].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, month]) => month)
  const found: MonthToMigrate[] = []
  for (const month of sorted) {
    const contents = () => contentsOf(hot, month.partition)
    found.push({ ...month, step: await nextStep({ rowOf, now, contents }, month.partition) })
  }
  return found
}

/** The days of a month that have hot rows: every row is read for its digest. */
export async function contentsOf(hot: HotStore, p: Partition): Promise<readonly DayContents[]> {
  const { fromUs, toUs } = monthRange(p.month)
  return await hot.view((view) => view.contents(sliceOf(p, fromUs, toUs)))
}

export type NextStepPorts = Pick<PlanMigrationsPorts, 'rowOf' | 'now'> & {
  /** Asked only where it matters which rows are hot: not of a month that is verified or on its way. */
  readonly contents: () => Promise<readonly DayContents[]>
}

/** What is to be done for a month that has rows past retention. */
export async function nextStep({ rowOf, now, contents }: NextStepPorts, p: Partition): Promise<MigrationStep> {
  const isOver = monthRange(p.month).toUs <= BigInt(now.getTime()) * 1_000n
  const row = await rowOf(p)
  const step = migrationStep(row, { isOver, etag: null })
  return step.kind === 'build' ? migrationStep(row, { isOver, etag: hotEtagOf(await contents()) }) : step
}
