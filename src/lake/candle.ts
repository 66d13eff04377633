import type { Call } from '../domain/call.js'
import { CANDLE_COLUMNS, type CandleColumnName } from '../domain/candle.js'
import type { Candle } from '../domain/candle-row.js'

export type { Call } from '../domain/call.js'
export type { Batches, Candle } from '../domain/candle-row.js'

export type CandleField = keyof Candle

/** Each field and its column, in the order of the columns; symbol and interval are the series' own. */
export const FIELDS: readonly (readonly [field: CandleField, column: CandleColumnName])[] = CANDLE_COLUMNS.filter(
  (column) => !('constant' in column),
).map(({ name }) => [fieldOf(name), name] as const)

function fieldOf(column: CandleColumnName): CandleField {
  if (column === 'open_time') return 'openTimeUs'
  if (column === 'close_time') return 'closeTimeUs'
  return column.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()) as CandleField
}

const NEVER: AbortSignal = new AbortController().signal

export const signalOf = (call: Call | undefined): AbortSignal => call?.signal ?? NEVER
