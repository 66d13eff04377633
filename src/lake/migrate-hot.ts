import type { Difference } from '../domain/compare-rows.js'
import type { MigrateFailpoint } from '../domain/failpoints.js'
import { DIFFERENCES_MAX, type Migrated, type MigrationReport } from '../domain/migration.js'
import { monthRange, US_PER_DAY } from '../domain/month.js'
import type { Partition } from '../domain/partition.js'
import type { DayContents, Held } from '../domain/ports/hot-store.js'
import { sliceOf, type Slice } from '../domain/slice.js'
import { ColumnHashes, compareDays, dayUs, type Compared, type RetentionPorts } from './retention.js'

/** Rows that are compared together: a month of minutes at once, of seconds day by day. */
const ROWS_MAX = 100_000

export type MigratePorts = RetentionPorts & {
  readonly record: (report: MigrationReport) => Promise<void>
  readonly pass: (point: MigrateFailpoint) => void
  readonly signal: AbortSignal
}

/**
 * Takes off a series' hot rows of a month, from days that end at `limitUs` or earlier, what its verified month holds.
 * Rows that the month has otherwise are reported, and then take the archive's values; rows that it lacks are reported,
 * and their days stay. Every step may be done twice, and by two at once. Null where the month is not verified.
 * @throws {LEASE_HELD} somebody reads or writes one of the days for long
 */
export async function migrateMonth(o: MigratePorts, p: Partition, limitUs: bigint): Promise<Migrated | null> {
  const slices = await slicesOf(o, p, limitUs)
  if (slices.length === 0) return { report: null, removed: 0, corrected: 0, kept: 0 }
  const seen = await compareAll(o, slices)
  if (seen === null) return null
  o.pass('migrate.compared')
  const report = reportOf(p, seen)
  await o.record(report)
  o.pass('migrate.reported')
  let corrected = 0
  const held: Held[] = [...seen.held]
  for (const at of seen.unlike) {
    const after = await correct(o, at)
    corrected += after.corrected
    held.push(...after.held)
  }
  const removed = (await o.hot.remove(held, () => o.pass('migrate.locked'))).reduce((sum, { rows }) => sum + rows, 0)
  o.pass('migrate.removed')
  return { report, removed, corrected, kept: Math.max(0, report.hotRows - removed) }
}

/** What a look over all rows found; `unlike` are the slices in which some have other values. */
type Seen = {
  etag: string
  hotRows: number
  warmRows: number
  differing: number
  readonly held: Held[]
  readonly unlike: Slice[]
  readonly differences: Difference[]
  readonly hashes: ColumnHashes
}

async function compareAll(o: MigratePorts, slices: readonly Slice[]): Promise<Seen | null> {
  const hashes = new ColumnHashes()
  const seen: Seen = {
    etag: '', hotRows: 0, warmRows: 0, differing: 0, held: [], unlike: [], differences: [], hashes,
  }
  for (const at of slices) {
    o.signal.throwIfAborted()
    const one = await compareDays(o, at, hashes)
    if (one === null) return null
    seen.etag = one.etag
    seen.hotRows += one.hotRows
    seen.warmRows += one.warmRows
    seen.differing += new Set(one.differences.map(({ openTimeUs }) => openTimeUs)).size
    seen.differences.push(...one.differences.slice(0, DIFFERENCES_MAX - seen.differences.length))
    if (one.truth.length > 0) seen.unlike.push(at)
    else seen.held.push(...one.held)
  }
  return seen
}

const reportOf = (partition: Partition, { etag, hotRows, warmRows, differing, differences, hashes }: Seen): MigrationReport =>
  ({ partition, etag, hotRows, warmRows, differing, columns: hashes.result(), differences })

/** The archive's values over the rows that have others, and the slice compared anew. */
async function correct(o: MigratePorts, at: Slice): Promise<Pick<Compared, 'held'> & { readonly corrected: number }> {
  o.signal.throwIfAborted()
  const truth = (await compareDays(o, at))?.truth ?? []
  const corrected = await o.hot.save(at, truth, 'archive')
  o.pass('migrate.corrected')
  return { corrected, held: (await compareDays(o, at))?.held ?? [] }
}

/** Days with rows, next to each other, of some `ROWS_MAX` rows together. */
async function slicesOf({ hot }: MigratePorts, p: Partition, limitUs: bigint): Promise<Slice[]> {
  const { fromUs, toUs } = monthRange(p.month)
  const endUs = limitUs < toUs ? limitUs / US_PER_DAY * US_PER_DAY : toUs
  if (endUs <= fromUs) return []
  const days = await hot.view((view) => view.contents(sliceOf(p, fromUs, endUs)))
  const slices: Slice[] = []
  let taken: DayContents[] = []
  const take = (): void => {
    const [first, last] = [taken[0], taken.at(-1)]
    if (first && last) slices.push(sliceOf(p, dayUs(first.day), dayUs(last.day) + US_PER_DAY))
    taken = []
  }
  for (const day of days) {
    if (taken.reduce((sum, { rows }) => sum + rows, day.rows) > ROWS_MAX) take()
    taken.push(day)
  }
  take()
  return slices
}
