import { sql, type Kysely, type RawBuilder } from 'kysely'
import { PipelineError } from '../../../domain/errors.js'
import { US_PER_DAY, type TimeRange } from '../../../domain/month.js'
import { seriesKeyOf, type Partition, type Series } from '../../../domain/partition.js'
import type { Contents, Held } from '../../../domain/ports/hot-store.js'
import type { Slice } from '../../../domain/slice.js'
import { keyArrays, sameKey, type Db } from '../rows.js'
import { dayStartUs, exclusiveLock, tableOf, type Day } from './days.js'
import { idOf, isIn } from './rows.js'

/** Readers that come while the partition goes wait for it, behind those whom it waits for. */
const WAIT_MS = 2_000

/** Whole rows by hash, in no order: the same rows give the same sum. */
const figures: RawBuilder<Contents> = sql`
  count(*) as rows, coalesce(sum(hash_record_extended(c, 0)), 0)::text as digest`

const rangeOf = (day: Day): TimeRange => ({ fromUs: dayStartUs(day), toUs: dayStartUs(day) + US_PER_DAY })

export async function contents(db: Db, at: Slice): Promise<Contents> {
  const { rows } = await sql<Contents>`
    select ${figures} from hot_candles c where c.series_id = ${idOf(at)} and ${isIn(at)}`.execute(db)
  if (rows[0]) return rows[0]
  throw new PipelineError('UNEXPECTED', 'the database gave no count')
}

type SeriesRow = Pick<Series, 'dataset' | 'symbol' | 'interval'> & { readonly rows: number }

export async function seriesOf(db: Db, day: Day): Promise<readonly { series: Series; rows: number }[]> {
  const { rows: found } = await sql<SeriesRow>`
    select s.dataset, s.symbol, s."interval", c.rows
    from (select series_id, count(*) as rows from hot_candles c where ${isIn(rangeOf(day))} group by series_id) c
    join hot_series s on s.id = c.series_id order by s.dataset, s.symbol, s.id`.execute(db)
  return found.map(({ rows, ...series }) => ({ series, rows }))
}

type Found = Contents & Series & { readonly series_id: number }

/** See `HotStore.remove`. Writers of the day wait from the count to the end; the catalog's rows do not change. */
export async function remove(db: Kysely<unknown>, day: Day, held: readonly Held[]): Promise<readonly Held[]> {
  return await db.transaction().execute(async (trx) => {
    await sql`select set_config('lock_timeout', ${String(WAIT_MS)}, true)`.execute(trx)
    await exclusiveLock(day).execute(trx)
    const { rows: found } = await sql<Found>`
      select series_id, s.dataset, s.symbol, s."interval", rows, digest
      from (select series_id, ${figures} from hot_candles c where ${isIn(rangeOf(day))} group by series_id) c
      join hot_series s on s.id = series_id`.execute(trx)
    const now = new Map(found.map((one) => [seriesKeyOf(one), one]))
    const etags = await publishedEtags(trx, held.map(({ series }) => ({ ...series, month: day.slice(0, 7) })))
    const removed = held.filter(({ series, rows, digest, etag }) => {
      const is = now.get(seriesKeyOf(series))
      return is?.rows === rows && is.digest === digest && etags.get(seriesKeyOf(series)) === etag
    })
    if (removed.length === found.length) {
      await sql`drop table if exists ${sql.id(tableOf(day))}`.execute(trx)
      await sql`delete from hot_changes where day = ${day}::date`.execute(trx)
    } else if (removed.length > 0) {
      const ids = removed.map(({ series }) => now.get(seriesKeyOf(series))?.series_id)
      await sql`
        delete from hot_candles c where c.series_id = any (${ids}::int[]) and ${isIn(rangeOf(day))}`.execute(trx)
    }
    return removed
  })
}

/** The objects that the catalog names, by series; it names them until the transaction ends. */
async function publishedEtags(db: Db, partitions: readonly Partition[]): Promise<ReadonlyMap<string, string | null>> {
  const { rows } = await sql<Series & { readonly etag: string | null }>`
    select p.dataset, p.symbol, p."interval", p.published_etag as etag
    from partitions p, unnest(${keyArrays(partitions)}) as i(dataset, symbol, "interval", month)
    where ${sameKey} order by p.id for share of p`.execute(db)
  return new Map(rows.map((row) => [seriesKeyOf(row), row.etag]))
}
