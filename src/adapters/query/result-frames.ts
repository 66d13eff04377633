import {
  DuckDBTypeId,
  type DuckDBDataChunk,
  type DuckDBResult,
  type DuckDBType,
  type DuckDBVector,
} from '@duckdb/node-api'
import { JsonDuckDBValueConverter } from '@duckdb/node-api'
import type { Answer, ColumnValues, Frame, ResultColumn, ValueKind } from '../../domain/ports/query-engine.js'

/** DuckDB gives 2,048 rows at a time: frames of more cost less to build and to hand on. */
const FRAME_ROWS = 16_384

type Reading = { readonly kind: ValueKind; readonly make: (rows: number) => ColumnValues; readonly fast: boolean }

const TYPED: Readonly<Partial<Record<DuckDBTypeId, Reading>>> = {
  [DuckDBTypeId.DOUBLE]: { kind: 'double', make: (rows) => new Float64Array(rows), fast: true },
  [DuckDBTypeId.FLOAT]: { kind: 'double', make: (rows) => new Float64Array(rows), fast: true },
  [DuckDBTypeId.TINYINT]: { kind: 'integer', make: (rows) => new Int32Array(rows), fast: true },
  [DuckDBTypeId.SMALLINT]: { kind: 'integer', make: (rows) => new Int32Array(rows), fast: true },
  [DuckDBTypeId.INTEGER]: { kind: 'integer', make: (rows) => new Int32Array(rows), fast: true },
  [DuckDBTypeId.UTINYINT]: { kind: 'integer', make: (rows) => new Int32Array(rows), fast: true },
  [DuckDBTypeId.USMALLINT]: { kind: 'integer', make: (rows) => new Int32Array(rows), fast: true },
  [DuckDBTypeId.BIGINT]: { kind: 'bigint', make: (rows) => new BigInt64Array(rows), fast: true },
  [DuckDBTypeId.TIMESTAMP]: { kind: 'instant', make: (rows) => new BigInt64Array(rows), fast: true },
  [DuckDBTypeId.TIMESTAMP_TZ]: { kind: 'instant', make: (rows) => new BigInt64Array(rows), fast: true },
  [DuckDBTypeId.BOOLEAN]: { kind: 'boolean', make: (rows) => new Uint8Array(rows), fast: false },
  [DuckDBTypeId.UINTEGER]: { kind: 'bigint', make: (rows) => new Array<unknown>(rows), fast: false },
  [DuckDBTypeId.UBIGINT]: { kind: 'bigint', make: (rows) => new Array<unknown>(rows), fast: false },
  [DuckDBTypeId.HUGEINT]: { kind: 'bigint', make: (rows) => new Array<unknown>(rows), fast: false },
  [DuckDBTypeId.UHUGEINT]: { kind: 'bigint', make: (rows) => new Array<unknown>(rows), fast: false },
  [DuckDBTypeId.DECIMAL]: { kind: 'decimal', make: (rows) => new Array<unknown>(rows), fast: false },
}

const NESTED = new Set([
  DuckDBTypeId.LIST,
  DuckDBTypeId.ARRAY,
  DuckDBTypeId.STRUCT,
  DuckDBTypeId.MAP,
  DuckDBTypeId.UNION,
])

function readingOf(type: DuckDBType): Reading {
  const kind = NESTED.has(type.typeId) ? 'json' : 'text'
  return TYPED[type.typeId] ?? { kind, make: (rows) => new Array<unknown>(rows), fast: false }
}

/** A streamed result as columns and frames. `fetch` gives the next chunk, null or an empty one at the end. */
export function answerOf(result: DuckDBResult, fetch: () => Promise<DuckDBDataChunk | null>): Answer {
  const types = result.columnTypes()
  const readings = types.map(readingOf)
  const columns = result
    .deduplicatedColumnNames()
    .map((name, i): ResultColumn => ({ name, kind: readings[i]?.kind ?? 'text', type: String(types[i]) }))
  return { columns, frames: framesOf(types, readings, fetch) }
}

async function* framesOf(
  types: readonly DuckDBType[],
  readings: readonly Reading[],
  fetch: () => Promise<DuckDBDataChunk | null>,
): AsyncGenerator<Frame> {
  for (let ended = false; !ended;) {
    const chunks: DuckDBDataChunk[] = []
    let rows = 0
    while (rows < FRAME_ROWS) {
      const chunk = await fetch()
      ended = !chunk || chunk.rowCount === 0
      if (!chunk || ended) break
      chunks.push(chunk)
      rows += chunk.rowCount
    }
    if (rows > 0) yield frameOf(types, readings, chunks, rows)
  }
}

/** Copies: the memory of a chunk is DuckDB's. */
function frameOf(
  types: readonly DuckDBType[],
  readings: readonly Reading[],
  chunks: readonly DuckDBDataChunk[],
  rows: number,
): Frame {
  const values = readings.map(({ make }) => make(rows))
  const nulls = readings.map((): Uint8Array | null => null)
  let at = 0
  for (const chunk of chunks) {
    for (const [i, reading] of readings.entries()) {
      const vector = chunk.getColumnVector(i)
      const missing = missingIn(vector, chunk.rowCount)
      if (missing) (nulls[i] ??= new Uint8Array(rows)).set(missing, at)
      if (reading.fast) copyFast(values[i]!, vector, at, chunk.rowCount)
      else copyEach(values[i]! as unknown[], vector, { at, rows: chunk.rowCount, type: types[i]! })
    }
    at += chunk.rowCount
  }
  return { rows, values, nulls }
}

/** A vector of fixed-width values holds them as a typed array; asking one by one makes an object for each instant. */
function copyFast(to: ColumnValues, vector: DuckDBVector, at: number, rows: number): void {
  const { items } = vector as unknown as { items: Float64Array }
  ;(to as Float64Array).set(items.length === rows ? items : items.subarray(0, rows), at)
}

function copyEach(to: unknown[], vector: DuckDBVector, o: { at: number; rows: number; type: DuckDBType }): void {
  const id = o.type.typeId
  for (let row = 0; row < o.rows; row++) {
    const value = vector.getItem(row)
    to[o.at + row] =
      value === null || typeof value === 'string' || typeof value === 'bigint'
        ? value
        : id === DuckDBTypeId.BOOLEAN
          ? Number(value)
          : id === DuckDBTypeId.UINTEGER
            ? BigInt(value as number)
            : NESTED.has(id)
              ? JsonDuckDBValueConverter(value, o.type, JsonDuckDBValueConverter)
              : value.toString()
  }
}

type Validity = { itemValid(index: number): boolean; readonly data: BigUint64Array | null }

function missingIn(vector: DuckDBVector, rows: number): Uint8Array | null {
  const { validity } = vector as unknown as { validity?: Validity }
  if (validity?.data === null) return null
  let missing: Uint8Array | null = null
  for (let row = 0; row < rows; row++) {
    const isMissing = validity ? !validity.itemValid(row) : vector.getItem(row) === null
    if (isMissing) (missing ??= new Uint8Array(rows))[row] = 1
  }
  return missing
}
