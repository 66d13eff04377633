/** The fields of a candle that hold prices and amounts. */
export type CandleValue =
  | 'open' | 'high' | 'low' | 'close' | 'volume' | 'quoteVolume' | 'takerBuyVolume' | 'takerBuyQuoteVolume'

/**
 * One bar. Times are microseconds since 1970 UTC; `closeTimeUs` is the archive's own and not worked out. `N` is `number`
 * for doubles and `string` for exact decimals: digits with a point where needed, no exponent, no idle zeros.
 */
export type Candle<N = number> = {
  openTimeUs: bigint
  closeTimeUs: bigint
  trades: number
} & Record<CandleValue, N>

/** Rows in order of time, some at a time; leaving the loop frees all that was opened for it. */
export type Batches<T> = AsyncIterable<T[]>
