import { DuckDBDoubleVector, type DuckDBDataChunk, type DuckDBVector } from '@duckdb/node-api'

/**
 * The memory of a vector of fixed-width values as bytes. The Node API offers a value at a time, through an object each
 * for instants and decimals; a partition has half a million values, and copying whole vectors takes 4 ms for all of
 * them.
 */
export function vectorBytes(vector: DuckDBVector): Uint8Array {
  const { items, dataView } = vector as unknown as { items?: ArrayBufferView; dataView?: DataView }
  const view = items ?? dataView
  if (!view) throw new TypeError(`a vector of ${vector.type.toString()} has no plain memory`)
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}

type RawVector = ConstructorParameters<typeof DuckDBDoubleVector>[2]
type Validity = ConstructorParameters<typeof DuckDBDoubleVector>[1]

/**
 * Sets all columns of a chunk to `count` values that are none of them missing; `bytesOf` gives a column's bytes. Asking
 * for the vectors while the chunk is empty spares a copy of memory that would be overwritten at once. Whatever its
 * type, a column is written as doubles: what is copied are bytes.
 */
export function fillChunk(chunk: DuckDBDataChunk, count: number, bytesOf: (index: number) => Uint8Array): void {
  chunk.rowCount = 0
  const vectors = [...Array(chunk.columnCount).keys()].map(
    (index) => chunk.getColumnVector(index) as unknown as { vector: RawVector; validity: Validity },
  )
  chunk.rowCount = count
  for (const [index, { vector, validity }] of vectors.entries()) {
    const bytes = bytesOf(index)
    new DuckDBDoubleVector(new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8), validity, vector).flush()
  }
}
