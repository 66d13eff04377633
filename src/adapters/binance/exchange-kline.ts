import type { HotCandle } from '../../domain/hot-candle.js'
import { US_PER_MS } from '../../domain/month.js'

/** Spot files hold microseconds from here on, and their bars close at .999999; the API says .999. */
const MICROSECONDS_FROM_MS = Date.UTC(2025, 0, 1)

const YEAR_10000_MS = Date.UTC(10_000, 0, 1)

const isText = (value: unknown): value is string => typeof value === 'string' && /^-?\d{1,30}(\.\d{1,18})?$/.test(value)
const isMs = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) > 0 && Number(value) < YEAR_10000_MS

/**
 * A candle of the API's JSON, twelve values: open time, open, high, low, close, volume, close time, quote volume,
 * trades, taker's volume, taker's quote volume, and one without meaning. Times are ms, prices and amounts texts. Gives
 * it with the close time that the archive will have, or null for anything else.
 */
export function klineRowOf(row: unknown): HotCandle | null {
  if (!Array.isArray(row) || row.length < 11) return null
  const [openMs, open, high, low, close, volume, closeMs, quoteVolume, trades, taker, takerQuote] = row as unknown[]
  if (!isMs(openMs) || !isMs(closeMs) || !Number.isSafeInteger(trades)) return null
  if (!isText(open) || !isText(high) || !isText(low) || !isText(close) || !isText(volume)) return null
  if (!isText(quoteVolume) || !isText(taker) || !isText(takerQuote)) return null
  const further = openMs >= MICROSECONDS_FROM_MS && closeMs % 1_000 === 999 ? 999n : 0n
  return {
    openTimeUs: BigInt(openMs) * US_PER_MS, closeTimeUs: BigInt(closeMs) * US_PER_MS + further,
    trades: Number(trades), open, high, low, close, volume, quoteVolume,
    takerBuyVolume: taker, takerBuyQuoteVolume: takerQuote,
  }
}
