import type { NumericType } from '../domain/candle.js'
import type { Candle } from '../domain/candle-row.js'
import type { FeedListener } from '../domain/ports/hot-feed.js'
import { candleReader } from './hot-repository.js'

/** A listener of hot rows around one that takes numbers as a lake of this type has them. */
export function listenerIn<N>(numericType: NumericType, listener: FeedListener<Candle<N>>): FeedListener {
  const candle = candleReader<N>(numericType)
  return (event) => {
    if (event.type !== 'candles') return listener(event)
    const candles = event.candles.map((row) => ({ ...candle(row), corrected: row.corrected, cursor: row.cursor }))
    return listener({ ...event, candles })
  }
}
