import { sql, type Kysely, type RawBuilder } from 'kysely'
import { dayStartUs, US_PER_DAY, type Day, type TimeRange } from '../../../domain/month.js'
import { partitionKeyOf, seriesKeyOf, type Partition, type Series } from '../../../domain/partition.js'
import type { DayContents, Held } from '../../../domain/ports/hot-store.js'
import type { Slice } from '../../../domain/slice.js'
import { keyArrays, partitionOf, sameKey, type Db, type KeyRow } from '../rows.js'
import { exclusiveLock, removalLock, tableOf } from './days.js'
import { idOf, isIn } from './rows.js'

/** Readers that come while the partition goes wait for it, behind those whom it waits for. */
const WAIT_MS = 2_000

/** Whole rows by hash, in no order: the same rows give the same sum. */
const figures: RawBuilder<Pick<DayContents, 'rows' | 'digest'>> = sql`
  count(*) as rows, coalesce(sum(hash_record_extended(c, 0)), 0)::text as digest`

const dayOfRow = sql<Day>`(c.open_time at time zone 'UTC')::date`

const rangeOf = (day: Day): TimeRange => ({ fromUs: dayStartUs(day), toUs: dayStartUs(day) + US_PER_DAY })

export async function contents(db: Db, at: Slice): Promise<readonly DayContents[]> {
  const { rows } = await sql<DayContents>`
    select ${dayOfRow}::text as day, ${figures} from hot_candles c
    where c.series_id = ${idOf(at)} and ${isIn(at)} group by ${dayOfRow} order by ${dayOfRow}`.execute(db)
  return rows
}

type SeriesRow = Pick<Series, 'dataset' | 'symbol' | 'interval'> & { readonly rows: number }

export async function seriesOf(db: Db, day: Day): Promise<readonly { series: Series; rows: number }[]> {
  const { rows: found } = await sql<SeriesRow>`
    select s.dataset, s.symbol, s."interval", c.rows
    from (select series_id, count(*) as rows from hot_candles c where ${isIn(rangeOf(day))} group by series_id) c
    join hot_series s on s.id = c.series_id order by s.dataset, s.symbol, s.id`.execute(db)
  return found.map(({ rows, ...series }) => ({ series, rows }))
}

type Found = Omit<DayContents, 'day'> & Series & { readonly series_id: number }
type Removed = { readonly one: Held; readonly seriesId: number }

/**
 * See `HotStore.remove`. Removals follow each other. Writers of the days wait from the count to the end; the catalog's
 * rows do not change. Readers wait only while partitions are dropped, so everything else is done before the first is.
 */
export async function remove(
  db: Kysely<unknown>, held: readonly Held[], o: { readonly days?: readonly Day[]; readonly done?: () => void } = {},
): Promise<readonly Held[]> {
  const days = [...new Set([...held.map(({ day }) => day), ...(o.days ?? [])])].sort()
  if (days.length === 0) return []
  return await db.transaction().execute(async (trx) => {
    await removalLock.execute(trx)
    await sql`select set_config('lock_timeout', ${String(WAIT_MS)}, true)`.execute(trx)
    for (const day of days) await exclusiveLock(day).execute(trx)
    const etags = await publishedEtags(trx, held.map(monthOf))
    const removed: Removed[] = []
    const dropped: Day[] = []
    for (const day of days) {
      const mine = held.filter((one) => one.day === day && etags.get(partitionKeyOf(monthOf(one))) === one.etag)
      const found = mine.length < MANY ? await foundOf(trx, day, mine) : await foundAll(trx, day)
      const unchanged = unchangedOf(found, mine)
      removed.push(...unchanged)
      const others = mine.length < MANY ? await hasOthers(trx, day, unchanged) : found.length > unchanged.length
      if (!others) dropped.push(day)
      else if (unchanged.length > 0) await deleteRows(trx, day, unchanged)
    }
    for (const day of dropped) await drop(trx, day)
    o.done?.()
    return removed.map(({ one }) => one)
  })
}

const monthOf = ({ series, day }: Held): Partition => ({ ...series, month: day.slice(0, 7) })

/** A day of 463 series: one walk over all of it 1.0 s, a look for each 2.4 s. Of a few, a look costs what they have. */
const MANY = 16

async function foundAll(db: Db, day: Day): Promise<Found[]> {
  const { rows } = await sql<Found>`
    select series_id, s.dataset, s.symbol, s."interval", rows, digest
    from (select series_id, ${figures} from hot_candles c where ${isIn(rangeOf(day))} group by series_id) c
    join hot_series s on s.id = series_id`.execute(db)
  return rows
}

async function foundOf(db: Db, day: Day, held: readonly Held[]): Promise<Found[]> {
  const parts = [held.map(({ series }) => series.dataset), held.map(({ series }) => series.symbol),
    held.map(({ series }) => series.interval)]
  const { rows } = await sql<Found>`
    select s.id as series_id, s.dataset, s.symbol, s."interval", rows, digest
    from unnest(${parts[0]}::text[], ${parts[1]}::text[], ${parts[2]}::text[]) as i(dataset, symbol, "interval")
    join hot_series s using (dataset, symbol, "interval") cross join lateral (
      select ${figures} from hot_candles c where c.series_id = s.id and ${isIn(rangeOf(day))}) f`.execute(db)
  return rows
}

/** What is held and still as it was counted. */
function unchangedOf(found: readonly Found[], held: readonly Held[]): Removed[] {
  const now = new Map(found.map((one) => [seriesKeyOf(one), one]))
  return held.flatMap((one) => {
    const is = now.get(seriesKeyOf(one.series))
    return is?.rows === one.rows && is.digest === one.digest ? [{ one, seriesId: is.series_id }] : []
  })
}

const idsOf = (removed: readonly Removed[]): number[] => removed.map(({ seriesId }) => seriesId)

async function hasOthers(db: Db, day: Day, removed: readonly Removed[]): Promise<boolean> {
  const { rows } = await sql<{ others: boolean }>`select exists (select from hot_candles c
    where ${isIn(rangeOf(day))} and c.series_id <> all (${idsOf(removed)}::int[])) as others`.execute(db)
  return rows[0]?.others ?? true
}

async function deleteRows(db: Db, day: Day, removed: readonly Removed[]): Promise<void> {
  await sql`delete from hot_candles c
    where c.series_id = any (${idsOf(removed)}::int[]) and ${isIn(rangeOf(day))}`.execute(db)
}

async function drop(db: Db, day: Day): Promise<void> {
  await sql`drop table if exists ${sql.id(tableOf(day))}`.execute(db)
  await sql`delete from hot_changes where day = ${day}::date`.execute(db)
}

/** The objects that the catalog names, by partition; it names them until the transaction ends. */
async function publishedEtags(db: Db, partitions: readonly Partition[]): Promise<ReadonlyMap<string, string | null>> {
  const unique = [...new Map(partitions.map((p) => [partitionKeyOf(p), p])).values()]
  const { rows } = await sql<KeyRow & { readonly etag: string | null }>`
    select p.dataset, p.symbol, p."interval", p.month, p.published_etag as etag
    from partitions p, unnest(${keyArrays(unique)}) as i(dataset, symbol, "interval", month)
    where ${sameKey} order by p.id for share of p`.execute(db)
  return new Map(rows.map((row) => [partitionKeyOf(partitionOf(row)), row.etag]))
}
