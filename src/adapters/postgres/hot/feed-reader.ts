import type { Kysely } from 'kysely'
import { cursorText, type FeedCursor } from '../../../domain/feed-cursor.js'
import type { TimeRange } from '../../../domain/month.js'
import { seriesKeyOf, type Series } from '../../../domain/partition.js'
import type { FeedCandle } from '../../../domain/ports/hot-feed.js'
import { changedRows, daysChanged, type ChangedRow } from './changes.js'

/** What is asked: rows after a cursor up to a change, in `range` where it is known that no other holds any. */
export type Asked = {
  readonly series: Series
  readonly after: FeedCursor
  readonly upTo: number
  readonly range: TimeRange | null
}

/** Some of the rows, and where they end. */
export type Page = { readonly candles: readonly FeedCandle[]; readonly cursor: FeedCursor }

/** Rows that a listener is given at a time. */
const PAGE_ROWS = 2_000

/** Reads changes; those who ask for the same at the same time share one answer. */
export function feedReader(db: Kysely<unknown>): (asked: Asked) => Promise<Page> {
  const asking = new Map<string, Promise<Page>>()
  return (asked) => {
    const key = `${seriesKeyOf(asked.series)} ${cursorText(asked.after)} ${asked.upTo}`
    const same = asking.get(key)
    if (same) return same
    const reading = pageOf(db, asked).finally(() => asking.delete(key))
    asking.set(key, reading)
    return reading
  }
}

async function pageOf(db: Kysely<unknown>, { series, after, upTo, range }: Asked): Promise<Page> {
  // Changes up to `upTo` were committed before this is asked: the days that hold them are all in the answer.
  const where = range ?? (await daysChanged(db, series, after.openTimeUs === null ? after.change : after.change - 1))
  const rows = where === null ? [] : await changedRows(db, series, { after, upTo, range: where, limit: PAGE_ROWS })
  const last = rows.at(-1)
  const isWhole = rows.length < PAGE_ROWS || last === undefined
  return { candles: rows.map(given), cursor: isWhole ? { change: upTo, openTimeUs: null } : cursorOf(last) }
}

const cursorOf = ({ change, candle }: ChangedRow): FeedCursor => ({ change, openTimeUs: candle.openTimeUs })

const given = (row: ChangedRow): FeedCandle =>
  ({ ...row.candle, corrected: row.corrected, cursor: cursorText(cursorOf(row)) })
