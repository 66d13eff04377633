import type { CandleColumnName } from '../candle.js'
import type { Partition } from '../partition.js'
import type { ParquetOptions } from './engine.js'

/** Values of some rows by column, in the order of the columns; instants are bigint, decimals text. */
export type CandleValues = {
  readonly rows: number
  readonly columns: ReadonlyMap<CandleColumnName, readonly unknown[]>
}

export type WrittenFile = { readonly path: string; readonly rows: number; remove(): Promise<void> }

/** Makes Parquet files of rows that callers give. */
export interface CandleFileWriter {
  /**
   * One partition's file in a folder of its own.
   * @throws {CORRUPT} a row outside of the month, two rows of one open_time, no rows, a missing value
   * @throws {DISK_FULL}
   */
  write(o: {
    partition: Partition
    batches: AsyncIterable<CandleValues>
    parquet: ParquetOptions
    signal: AbortSignal
  }): Promise<WrittenFile>
}
