import type { Candle } from './candle-row.js'
import { seriesKeyOf, type Series } from './partition.js'
import type { FeedCandle, FeedEvent } from './ports/hot-feed.js'

const iso = (us: bigint): string => new Date(Number(us / 1_000n)).toISOString()

/** One candle of a subscription as a line of JSON: instants ISO 8601, numbers as the lake holds them. */
export const candleJson = (
  series: Series, { openTimeUs, closeTimeUs, corrected, cursor, ...values }: FeedCandle<Candle<unknown>>,
) => ({
  v: 1, type: 'candle', series: seriesKeyOf(series), openTime: iso(openTimeUs), closeTime: iso(closeTimeUs), ...values,
  corrected, cursor,
})

/** Any other event of a subscription. */
export const eventJson = (series: Series, event: Exclude<FeedEvent, { type: 'candles' }>) =>
  ({ v: 1, series: seriesKeyOf(series), ...event })
