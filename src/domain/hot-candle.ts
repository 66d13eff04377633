/** The fields that hold numbers, in the order of their columns. */
export const HOT_NUMBERS = [
  'open', 'high', 'low', 'close', 'volume', 'quoteVolume', 'takerBuyVolume', 'takerBuyQuoteVolume',
] as const

/** A bar as hot rows keep it: numbers are exact decimal text, instants microseconds since 1970 UTC. */
export type HotCandle = {
  readonly openTimeUs: bigint
  readonly closeTimeUs: bigint
  readonly trades: number
} & { readonly [K in (typeof HOT_NUMBERS)[number]]: string }

/**
 * How well a row is known, weakest first: of a bar that is still open, of a closed one as REST tells it, of the
 * archive. A row replaces one of the same time that is known as well or less.
 */
export const STANDINGS = ['open', 'closed', 'archive'] as const
export type Standing = (typeof STANDINGS)[number]
