import type { Series } from '../partition.js'
import type { Slice } from '../slice.js'

/** Candles of series, wherever they are kept: Parquet (warm), Postgres (hot), or both; one contract suite for all. */
export interface MarketDataRepository<Row> {
  /** Rows whose open_time lies in `[fromUs, toUs)`, in time order. */
  getByDateRange(at: Slice): Promise<Row[]>
  /** The newest rows, at most `limit` (default 1), in time order: the newest comes last. */
  getLatest(s: Series, limit?: number): Promise<Row[]>
  /** Stores rows; one of the same open_time is replaced. Gives how many were stored. @throws {CORRUPT} */
  save(s: Series, rows: readonly Row[]): Promise<number>
  /** Whether any row lies in the range. */
  exists(at: Slice): Promise<boolean>
  /** Gives how many rows there were in the range: none are left. */
  deleteByDateRange(at: Slice): Promise<number>
  /** UTC days with at least one row, `2024-01-31`, in order. */
  getAvailableDates(s: Series): Promise<string[]>
}
