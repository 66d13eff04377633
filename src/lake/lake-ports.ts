import type { CandleReader, QueryLimits, SqlRunner } from '../domain/ports/query-engine.js'
import type { CandleFileWriter } from '../domain/ports/candle-file-writer.js'
import type { LakeIndex } from '../domain/ports/lake-index.js'
import type { ObjectParts } from '../domain/ports/object-parts.js'
import type { ObjectStore } from '../domain/ports/object-store.js'
import type { ParquetOptions } from '../domain/ports/engine.js'

/** What a lake is made of. DuckDB is loaded when it is asked for. */
export type LakePorts = {
  readonly store: ObjectStore
  readonly index: LakeIndex
  readonly parts: ObjectParts
  readonly limits: QueryLimits
  /** How partitions are written. */
  readonly parquet: Omit<ParquetOptions, 'numericType'>
  reader(): Promise<CandleReader>
  sql(): Promise<SqlRunner>
  writer(): Promise<CandleFileWriter>
  close(): Promise<void>
}
