import type { HotCandle } from '../../src/domain/hot-candle.js'
import type { Series } from '../../src/domain/partition.js'

export const BTC_1M: Series = { dataset: 'spot-klines', symbol: 'BTCUSDT', interval: '1m' }
export const MINUTE_US = 60_000_000n
export const usAt = (text: string): bigint => BigInt(Date.parse(text)) * 1_000n

/** A bar whose values follow from its time and a number that tells versions of it apart. */
export function hotBar(openTimeUs: bigint, version = 0): HotCandle {
  const units = openTimeUs / MINUTE_US % 10_000n
  const price = (over: bigint): string => `${units + 20_000n + over}.${String(version).padStart(2, '0')}00000`
  return {
    openTimeUs, closeTimeUs: openTimeUs + MINUTE_US - 1_000n, trades: 1 + Number(units % 9n) + version,
    open: price(1n), high: price(9n), low: price(0n), close: price(5n), volume: `${units}.123456789012345678`,
    quoteVolume: `12345678901234567890.${units}`, takerBuyVolume: '0', takerBuyQuoteVolume: `${units}.5`,
  }
}

/** Bars of one minute from `from` on. */
export const hotBars = (from: string, count: number, version = 0): HotCandle[] =>
  Array.from({ length: count }, (_, n) => hotBar(usAt(from) + BigInt(n) * MINUTE_US, version))
