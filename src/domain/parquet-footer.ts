import type { NumericType } from './candle.js'
import { CANDLE_COLUMNS, NUMERIC_TYPES, sqlTypeOf } from './candle.js'
import { PipelineError } from './errors.js'

/** A column of one row group: where its pages lie, bytes `[start, end)`, and what the footer says of its values. */
export type ColumnChunk = {
  readonly column: string
  readonly start: number
  readonly end: number
  readonly uncompressedBytes: number
  readonly codec: string
  /** Plain little-endian bytes as Parquet stores them, UTF-8 for text; null where the footer does not say. */
  readonly min: Uint8Array | null
  readonly max: Uint8Array | null
  readonly nulls: number | null
}

export type RowGroup = { readonly rows: number; readonly chunks: readonly ColumnChunk[] }

/** What a Parquet file says of itself. Types are given as DuckDB names them. `bytes` is the whole file. */
export type ParquetFooter = {
  readonly bytes: number
  readonly rows: number
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  readonly rowGroups: readonly RowGroup[]
  readonly metadata: Readonly<Record<string, string>>
  /** Where footer and trailer begin: `[start, bytes)`. */
  readonly start: number
}

/**
 * The numeric type of a candle file; refuses what is not one. A reader casts what it can, in silence, so a column of
 * another type has to be found here.
 * @throws {SCHEMA_MISMATCH} with the facts column, want and found
 */
export function numericTypeOf(footer: ParquetFooter, at: string, want: NumericType | null = null): NumericType {
  const types = new Map(footer.columns.map(({ name, type }) => [name, type]))
  const numericType = want ?? NUMERIC_TYPES.find((one) => types.get('close') === sqlTypeOf('price', one)) ?? 'double'
  for (const { name, kind } of CANDLE_COLUMNS) {
    const [wanted, found] = [sqlTypeOf(kind, numericType), types.get(name) ?? 'missing']
    if (found !== wanted) throw mismatch(at, name, wanted, found)
    types.delete(name)
  }
  const [odd] = types
  if (odd) throw mismatch(at, odd[0], 'no such column', odd[1])
  return numericType
}

function mismatch(at: string, column: string, want: string, found: string): PipelineError {
  const message = `column ${column} should be ${want} and is ${found}`
  return new PipelineError('SCHEMA_MISMATCH', message, { at, column, want, found, do: 'make the file again' })
}
