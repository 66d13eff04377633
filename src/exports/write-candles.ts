import type { Call } from '../domain/call.js'
import type { TextFormat } from './export-format.js'
import { textRows, type Parts, type SeriesRows } from './text-rows.js'
import { gzipped, writeWhole } from './write-whole.js'

/**
 * Writes candles of one or more series to a file, whole or not at all, in constant memory; gives what was written.
 * `csv` has the archive's columns behind `symbol` and `interval`, times in microseconds; `json` and `jsonl` the lake's
 * columns, instants as ISO 8601 and exact decimals as text.
 * @throws {BAD_USAGE, DISK_FULL} @throws whatever the rows end with
 */
export async function writeCandles(
  o: { readonly path: string; readonly format: TextFormat; readonly rows: Parts },
  c: Call = {},
): Promise<{ readonly rows: number; readonly bytes: number }> {
  let rows = 0
  const counted = async function* (batches: SeriesRows['batches']): SeriesRows['batches'] {
    for await (const batch of batches) {
      c.signal?.throwIfAborted()
      rows += batch.length
      yield batch
    }
  }
  const parts = async function* (): AsyncGenerator<SeriesRows> {
    for await (const { series, batches } of o.rows) yield { series, batches: counted(batches) }
  }
  c.signal?.throwIfAborted()
  const text = textRows(o.format, parts())
  return { bytes: await writeWhole(o.path, o.format === 'csv.gz' ? gzipped(text) : text), rows }
}
