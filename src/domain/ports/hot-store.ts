import type { HotCandle, Standing } from '../hot-candle.js'
import type { Series } from '../partition.js'
import type { LakeObject } from '../query-plan.js'
import type { Slice } from '../slice.js'

/** Rows of closed bars; of an open one nobody can say yet what it will be. */
export interface HotRows {
  /** In time order. */
  read(at: Slice): Promise<HotCandle[]>
  /** The newest rows, at most `limit`, the newest last. */
  latest(s: Series, limit: number): Promise<HotCandle[]>
  exists(at: Slice): Promise<boolean>
  /** UTC days with at least one row, `2024-01-31`, in order. */
  days(s: Series): Promise<string[]>
}

/** A month that the lake shows. A provisional one is not the last word on its rows. */
export type WarmMonth = { readonly object: LakeObject; readonly provisional: boolean }

/** All rows of a series on a UTC day, of open bars too: how many, and a digest that changes when any of them does. */
export type DayContents = { readonly day: string; readonly rows: number; readonly digest: string }

/** Hot rows and what the lake shows, as of one instant. */
export interface HotView extends HotRows {
  /** Days with rows, in order. */
  contents(at: Slice): Promise<readonly DayContents[]>
  /** The months of a series, or those that a slice of it touches, in order. */
  months(at: Series | Slice): Promise<readonly WarmMonth[]>
}

/** What hot rows of one dataset and interval come to; instants are the first and the last open time. */
export type HotGroup = {
  readonly dataset: string
  readonly interval: string
  readonly symbols: number
  readonly rows: number
  readonly firstUs: bigint
  readonly lastUs: bigint
}

/** `bytes` with indexes; `days` are the days that have a partition. */
export type HotStats = {
  readonly groups: readonly HotGroup[]
  readonly days: readonly string[]
  readonly bytes: number
}

/** `rows` is what the database's own statistics say, close to the truth and without reading rows. */
export type HotEstimate = { readonly days: number; readonly rows: number }

/** What was found of a series on a day, and the object, by its ETag, that holds every row of it. */
export type Held = DayContents & { readonly series: Series; readonly etag: string }

/** Recent rows in Postgres, a partition for each day. */
export interface HotStore extends HotRows {
  /**
   * Stores rows, all or none; of two of one time the last counts. Gives how many were stored: one that meets a row of
   * its time that is better known is not.
   */
  save(s: Series, rows: readonly HotCandle[], standing: Standing): Promise<number>
  /**
   * Deletes rows of open and closed bars alike; gives how many there were.
   * @throws {LEASE_HELD} days of them are being removed for long
   */
  delete(at: Slice): Promise<number>
  /** Whatever `work` asks of the view is as of one instant; no partition is dropped meanwhile. */
  view<T>(work: (view: HotView) => Promise<T>): Promise<T>
  /** UTC days that have a partition, in order. */
  partitions(): Promise<readonly string[]>
  /** Series with rows on a UTC day, and how many. */
  seriesOf(day: string): Promise<readonly { readonly series: Series; readonly rows: number }[]>
  /**
   * Removes what is held, in one transaction that counts and digests anew and keeps what changed, or whose object is
   * another by now. A day of which nothing is left loses its partition, and so does an empty one among `days`. Gives
   * what was removed; `done` is called before the transaction ends.
   * @throws {LEASE_HELD} somebody reads or writes one of the days for long, or removes others
   */
  remove(
    held: readonly Held[], o?: { readonly days?: readonly string[]; readonly done?: () => void },
  ): Promise<readonly Held[]>
  stats(): Promise<HotStats>
  estimate(): Promise<HotEstimate>
  /** The open time of the newest closed bar, µs, of each series that has one, by the series' key. */
  newest(series: readonly Series[]): Promise<ReadonlyMap<string, bigint>>
}
