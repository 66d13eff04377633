import { sql, type RawBuilder } from 'kysely'
import type { FeedCursor } from '../../../domain/feed-cursor.js'
import type { HotCandle } from '../../../domain/hot-candle.js'
import { dayStartUs, US_PER_DAY, type TimeRange } from '../../../domain/month.js'
import { seriesKeyOf, type Series } from '../../../domain/partition.js'
import type { Db } from '../rows.js'
import { candleOf, idOf, instantText, isClosed, isIn, selected, type HotRow } from './rows.js'

/** A row with the number of the change that made it what it is. */
export type ChangedRow = { readonly candle: HotCandle; readonly change: number; readonly corrected: boolean }

/** The number of the latest change of each series, by key; 0 for one that has none. */
export async function headsOf(db: Db, all: readonly Series[]): Promise<ReadonlyMap<string, number>> {
  const of = (field: 'dataset' | 'symbol' | 'interval') => sql`${all.map((one) => one[field])}::text[]`
  const { rows } = await sql<Series & { readonly changes: number }>`
    select w.dataset, w.symbol, w."interval", coalesce(s.changes, 0) as changes
    from unnest(${of('dataset')}, ${of('symbol')}, ${of('interval')}) as w(dataset, symbol, "interval")
    left join hot_series s using (dataset, symbol, "interval")`.execute(db)
  return new Map(rows.map((row) => [seriesKeyOf(row), row.changes]))
}

/** The range of the days that hold changes after a number; null where none does. */
export async function daysChanged(db: Db, series: Series, after: number): Promise<TimeRange | null> {
  const { rows } = await sql<{ first: string | null; last: string | null }>`
    select min(day)::text as first, max(day)::text as last from hot_changes d
    where d.series_id = ${idOf(series)} and d.change > ${after}`.execute(db)
  const { first, last } = rows[0] ?? { first: null, last: null }
  return first === null || last === null ? null : { fromUs: dayStartUs(first), toUs: dayStartUs(last) + US_PER_DAY }
}

type Row = HotRow & { readonly change: number; readonly corrected: boolean }

/** Rows of a range that changed after a cursor, up to a number, in the order of changes; at most `limit`. */
export async function changedRows(
  db: Db, series: Series, o: { after: FeedCursor; upTo: number; range: TimeRange; limit: number },
): Promise<ChangedRow[]> {
  const { rows } = await sql<Row>`select ${selected}, c.change, c.corrected from hot_candles c
    where c.series_id = ${idOf(series)} and ${isIn(o.range)} and ${isClosed}
      and ${isAfter(o.after)} and c.change <= ${o.upTo}
    order by c.change, c.open_time limit ${o.limit}`.execute(db)
  return rows.map(({ change, corrected, ...row }) => ({ candle: candleOf(row), change, corrected }))
}

const isAfter = ({ change, openTimeUs }: FeedCursor): RawBuilder<boolean> =>
  openTimeUs === null
    ? sql<boolean>`c.change > ${change}`
    : sql<boolean>`(c.change, c.open_time) > (${change}::bigint, ${instantText(openTimeUs)}::timestamptz)`
