import type { ParquetFooter } from '../parquet-footer.js'
import type { WantedPart } from '../plan-ranges.js'
import type { LakeObject } from '../query-plan.js'
import type { ReadCost } from './range-source.js'

/** A local file in which footer and wanted part of an object can be read, whatever else it holds. */
export type ObjectPart = { readonly path: string; readonly footer: ParquetFooter; readonly cost: ReadCost }

/** How bytes of Parquet files came: from a folder, by our own ranges, or by DuckDB's extension `httpfs`. */
export type ReadPath = 'local' | 'range' | 'httpfs'

/** Gets at parts of a lake's Parquet objects. */
export interface ObjectParts {
  readonly via: Exclude<ReadPath, 'httpfs'>
  /** @throws {PRECONDITION_FAILED, OBJECT_ABSENT, OBJECT_CORRUPT, STORE_UNREACHABLE} */
  part(object: LakeObject, want: WantedPart, signal: AbortSignal): Promise<ObjectPart>
  /** The footer alone. Same errors. */
  footer(object: LakeObject, signal: AbortSignal): Promise<Omit<ObjectPart, 'path'>>
}
