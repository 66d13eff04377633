/** The fields of a candle that hold prices and amounts. */
export type CandleValue =
  | 'open' | 'high' | 'low' | 'close' | 'volume' | 'quoteVolume' | 'takerBuyVolume' | 'takerBuyQuoteVolume'

/**
 * One bar. Times are microseconds since 1970 UTC; `closeTimeUs` is the archive's own and not worked out. `N` is `number`
 * for doubles and `string` for exact decimals: always eight places and no exponent, `93576.00000000`, as spot files print
 * them and decimal lakes hold them, so that equal values are equal texts.
 */
export type Candle<N = number> = {
  readonly openTimeUs: bigint
  readonly closeTimeUs: bigint
  readonly trades: number
} & { readonly [K in CandleValue]: N }

/** Rows in order of time, some at a time; leaving the loop frees all that was opened for it. */
export type Batches<T> = AsyncIterable<T[]>
