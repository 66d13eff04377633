import type { CandleColumnName } from '../domain/candle.js'
import type { CandleValues } from '../domain/ports/candle-file-writer.js'
import { FIELDS, type Batches, type Candle } from './candle.js'

/** Rows by column. */
export async function* valuesOf<N>(batches: Batches<Candle<N>>): AsyncGenerator<CandleValues> {
  for await (const rows of batches) {
    const columns = new Map<CandleColumnName, unknown[]>()
    for (const [field, column] of FIELDS)
      columns.set(
        column,
        rows.map((row) => row[field]),
      )
    yield { rows: rows.length, columns }
  }
}

/** Rows at hand, as batches. */
export async function* batchOf<T>(rows: readonly T[]): AsyncGenerator<T[]> {
  if (rows.length > 0) yield await Promise.resolve([...rows])
}
