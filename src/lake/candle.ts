import { CANDLE_COLUMNS, type CandleColumnName } from '../domain/candle.js'

/**
 * A bar. Instants are microseconds since 1970 UTC; `closeTimeUs` is the last instant of the bar as the exchange states
 * it. `N` is number in a double lake, exact decimal text in a decimal one.
 */
export type Candle<N = number> = {
  readonly openTimeUs: bigint
  readonly closeTimeUs: bigint
  readonly trades: number
} & { readonly [K in NumericField]: N }

export type NumericField =
  'open' | 'high' | 'low' | 'close' | 'volume' | 'quoteVolume' | 'takerBuyVolume' | 'takerBuyQuoteVolume'

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

/** Rows in pieces, in time order; leaving the loop frees everything. */
export type Batches<T> = AsyncIterable<T[]>

/** What every call may be given: an abort rejects with the signal's reason and leaves nothing half written. */
export type Call = { readonly signal?: AbortSignal }

const NEVER: AbortSignal = new AbortController().signal

export const signalOf = (call: Call | undefined): AbortSignal => call?.signal ?? NEVER
