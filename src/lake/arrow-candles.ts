import { CANDLE_COLUMNS } from '../domain/candle.js'
import type { Series } from '../domain/partition.js'
import type { Frame, ResultColumn, ValueKind } from '../domain/ports/query-engine.js'
import { arrowStream } from './arrow-stream.js'
import { FIELDS, type Batches, type Candle } from './candle.js'

type Rows = { readonly series: Series; readonly batches: Batches<Candle<number> | Candle<string>> }
type AnyCandle = Candle<number | string>

/**
 * Candles of some series as one Arrow IPC stream with the columns of a lake. Exact decimals are text, as in the streams
 * of queries.
 */
export async function* arrowCandles(parts: Iterable<Rows>): AsyncGenerator<Uint8Array> {
  const frames = framesOf(parts)
  const first = await frames.next()
  const isText = first.done !== true && first.value.isText
  const columns = CANDLE_COLUMNS.map(
    ({ name, kind }): ResultColumn => ({ name, kind: kindOf(kind, isText), type: kind }),
  )
  const all = async function* (): AsyncGenerator<Frame> {
    if (first.done === true) return
    yield first.value.frame
    for await (const { frame } of frames) yield frame
  }
  try {
    yield* arrowStream(columns, all())
  } finally {
    await frames.return(undefined)
  }
}

function kindOf(kind: (typeof CANDLE_COLUMNS)[number]['kind'], isText: boolean): ValueKind {
  if (kind === 'text') return 'text'
  if (kind === 'instant') return 'instant'
  if (kind === 'count') return 'bigint'
  return isText ? 'decimal' : 'double'
}

async function* framesOf(parts: Iterable<Rows>): AsyncGenerator<{ isText: boolean; frame: Frame }> {
  for (const { series, batches } of parts) {
    for await (const batch of batches as Batches<AnyCandle>) {
      if (batch.length > 0) yield { isText: typeof batch[0]?.open === 'string', frame: frameOf(series, batch) }
    }
  }
}

function frameOf(series: Series, batch: readonly AnyCandle[]): Frame {
  const fields = new Map(FIELDS.map(([field, column]) => [column, field] as const))
  const values = CANDLE_COLUMNS.map(({ name, kind }) => {
    if (name === 'symbol' || name === 'interval') return batch.map(() => series[name])
    const column = batch.map((row) => row[fields.get(name)!])
    if (kind === 'instant' || kind === 'count') return BigInt64Array.from(column, (value) => BigInt(value))
    return typeof column[0] === 'number' ? Float64Array.from(column as number[]) : column
  })
  return { rows: batch.length, values, nulls: values.map(() => null) }
}
