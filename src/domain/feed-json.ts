import type { Candle } from './candle-row.js'
import { isoOfUs } from './month.js'
import { seriesKeyOf, type Series } from './partition.js'
import type { FeedCandle, FeedEvent } from './ports/hot-feed.js'

/** One candle of a subscription as a line of JSON: instants ISO 8601, numbers as the lake holds them. */
export const candleJson = (
  series: Series, { openTimeUs, closeTimeUs, corrected, cursor, ...values }: FeedCandle<Candle<unknown>>,
) => ({
  v: 1, type: 'candle', series: seriesKeyOf(series), openTime: isoOfUs(openTimeUs), closeTime: isoOfUs(closeTimeUs),
  ...values, corrected, cursor,
})

/** Any other event of a subscription. */
export const eventJson = (series: Series, event: Exclude<FeedEvent, { type: 'candles' }>) =>
  ({ v: 1, series: seriesKeyOf(series), ...event })
