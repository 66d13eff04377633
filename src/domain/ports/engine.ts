import type { NumericType } from '../candle.js'
import type { ConvertFigures, InspectFigures } from '../figures.js'
import type { Partition } from '../partition.js'
import type { Source } from '../source.js'

export const CODECS = ['zstd', 'snappy', 'gzip', 'lz4_raw', 'uncompressed'] as const
export type Codec = (typeof CODECS)[number]

/** How Parquet files are written. `level` is for zstd only (1 to 22). */
export type ParquetOptions = {
  readonly numericType: NumericType
  readonly codec: Codec
  readonly level: number
  readonly dataPages: 'v1' | 'v2'
}

export type ConvertRequest = {
  readonly partition: Partition
  /** In order; each a local ZIP. `convert` hashes it again: a staged file that changed is `STAGING_LOST`. */
  readonly sources: readonly { readonly path: string; readonly source: Source }[]
  readonly outPath: string
  /** A folder of this execution for intermediate files. */
  readonly scratch: string
  readonly revision: string
  readonly parquet: ParquetOptions
}

export type InspectRequest = { readonly partition: Partition; readonly path: string; readonly numericType: NumericType }

/** DuckDB in child processes, one per slot: a native crash or a memory bomb costs one partition only. */
export interface CandleEngine {
  /**
   * ZIPs to one Parquet file: same source, same bytes. Writes nothing at `outPath` when it throws.
   * @throws {CORRUPT} with `facts.finding` a quarantining code of the verdict table, `facts.example`, `facts.source`
   * @throws {ZIP_CORRUPT, ZIP_REFUSED, STAGING_LOST, ENGINE_CRASHED, ENGINE_MEMORY, ENGINE_FAILED, DISK_FULL}
   */
  convert(request: ConvertRequest, signal: AbortSignal): Promise<ConvertFigures>
  /** Reads a Parquet file back. @throws {VERIFY_MISMATCH, OBJECT_CORRUPT, ENGINE_CRASHED, ENGINE_MEMORY, ENGINE_FAILED} */
  inspect(request: InspectRequest, signal: AbortSignal): Promise<InspectFigures>
  close(): Promise<void>
}
