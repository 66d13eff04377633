import type { Difference } from '../domain/compare-rows.js'
import type { MigrateFailpoint } from '../domain/failpoints.js'
import { DIFFERENCES_MAX, type Migrated, type MigrationReport } from '../domain/migration.js'
import { gridOf } from '../domain/interval.js'
import { monthRange, US_PER_DAY } from '../domain/month.js'
import type { Partition } from '../domain/partition.js'
import type { Held } from '../domain/ports/hot-store.js'
import { sliceOf, type Slice } from '../domain/slice.js'
import { ColumnHashes, compareDays, type Compared, type RetentionPorts } from './retention.js'

/** Rows that are compared together: a month of minutes at once, of seconds day by day. */
const ROWS_MAX = 100_000n

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
  const slices = slicesOf(p, limitUs)
  if (slices.length === 0) return NOTHING
  const seen = await compareAll(o, slices)
  if (seen === null) return null
  if (seen.hotRows === 0 && seen.held.length === 0) return NOTHING
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
  const gone = await o.hot.remove(held, { done: () => o.pass('migrate.locked') })
  const removed = gone.reduce((sum, { rows }) => sum + rows, 0)
  o.pass('migrate.removed')
  return { report, removed, corrected, kept: Math.max(0, report.hotRows - removed) }
}

const NOTHING: Migrated = { report: null, removed: 0, corrected: 0, kept: 0 }

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

const reportOf = (partition: Partition, { hashes, held: _, unlike: __, ...seen }: Seen): MigrationReport =>
  ({ partition, ...seen, columns: hashes.result() })

/** The archive's values over the rows that have others, and the slice compared anew. */
async function correct(o: MigratePorts, at: Slice): Promise<Pick<Compared, 'held'> & { readonly corrected: number }> {
  o.signal.throwIfAborted()
  const truth = (await compareDays(o, at))?.truth ?? []
  const corrected = await o.hot.save(at, truth, 'archive')
  o.pass('migrate.corrected')
  return { corrected, held: (await compareDays(o, at))?.held ?? [] }
}

/** Days next to each other, so many that some `ROWS_MAX` rows have room in them. */
function slicesOf(p: Partition, limitUs: bigint): Slice[] {
  const { fromUs, toUs } = monthRange(p.month)
  const endUs = limitUs < toUs ? limitUs / US_PER_DAY * US_PER_DAY : toUs
  const { stepUs } = gridOf(p.interval)
  const days = stepUs === null ? 31n : ROWS_MAX * stepUs / US_PER_DAY
  const lengthUs = (days < 1n ? 1n : days) * US_PER_DAY
  const slices: Slice[] = []
  for (let us = fromUs; us < endUs; us += lengthUs) {
    slices.push(sliceOf(p, us, us + lengthUs < endUs ? us + lengthUs : endUs))
  }
  return slices
}
