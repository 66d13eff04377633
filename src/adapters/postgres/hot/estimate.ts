import { sql } from 'kysely'
import { seriesKeyOf, type Series } from '../../../domain/partition.js'
import type { HotEstimate } from '../../../domain/ports/hot-store.js'
import type { Db } from '../rows.js'
import { isClosed, usOf } from './rows.js'

/**
 * The greater of two estimates. The count that writers keep is there at once, and begins at 0 after a crash; the one of
 * VACUUM and ANALYZE outlives a crash, and is -1 until the first of them.
 */
export async function estimate(db: Db): Promise<HotEstimate> {
  const { rows } = await sql<HotEstimate>`
    select count(*)::int as days,
      coalesce(sum(greatest(pg_stat_get_live_tuples(c.oid), c.reltuples, 0)), 0)::bigint as rows
    from pg_inherits join pg_class c on c.oid = inhrelid where inhparent = 'hot_candles'::regclass`.execute(db)
  return rows[0] ?? { days: 0, rows: 0 }
}

/** One look at the end of the key for each series: 1,500 of them over 30 days take 20 ms. */
export async function newest(db: Db, all: readonly Series[]): Promise<ReadonlyMap<string, bigint>> {
  const of = (field: 'dataset' | 'symbol' | 'interval') => sql`${all.map((one) => one[field])}::text[]`
  const { rows } = await sql<Series & { readonly at: string }>`
    select s.dataset, s.symbol, s."interval", c.open_time::text as at
    from unnest(${of('dataset')}, ${of('symbol')}, ${of('interval')}) as w(dataset, symbol, "interval")
    join hot_series s using (dataset, symbol, "interval") cross join lateral (
      select open_time from hot_candles c where c.series_id = s.id and ${isClosed}
      order by open_time desc limit 1) c`.execute(db)
  return new Map(rows.map((row) => [seriesKeyOf(row), usOf(row.at)]))
}
