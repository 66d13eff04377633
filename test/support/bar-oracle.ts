import type { Candle } from '../../src/domain/candle-row.js'

/** A coarser bar, and whether every finer one of it was there. */
export type CoarseBar = Candle<string> & { readonly complete: boolean }

const MINUTE_US = 60_000_000n

/** Bars of minutes put together by other means than SQL: dates for the buckets, BigInt for the sums. */
export function coarseBars(minutes: readonly Candle<string>[], interval: string): CoarseBar[] {
  const buckets = new Map<number, Candle<string>[]>()
  for (const minute of minutes) {
    const start = bucketOf(Number(minute.openTimeUs / 1_000n), interval)
    const bars = buckets.get(start)
    if (bars) bars.push(minute)
    else buckets.set(start, [minute])
  }
  return [...buckets].map(([startMs, bars]) => coarse(startMs, endOf(startMs, interval), bars))
}

function coarse(startMs: number, endMs: number, bars: readonly Candle<string>[]): CoarseBar {
  const [first, last] = [bars[0]!, bars.at(-1)!]
  const scaled = (text: string): bigint => BigInt(text.replace('.', ''))
  const by = (field: 'high' | 'low', sign: 1n | -1n): string =>
    bars.reduce((best, bar) => (sign * (scaled(bar[field]) - scaled(best)) > 0n ? bar[field] : best), first[field])
  const total = (field: 'volume' | 'quoteVolume' | 'takerBuyVolume' | 'takerBuyQuoteVolume'): string =>
    String(bars.reduce((sum, bar) => sum + scaled(bar[field]), 0n)).padStart(9, '0').replace(/(\d{8})$/, '.$1')
  return {
    openTimeUs: BigInt(startMs) * 1_000n, closeTimeUs: last.closeTimeUs, open: first.open, high: by('high', 1n),
    low: by('low', -1n), close: last.close, volume: total('volume'), quoteVolume: total('quoteVolume'),
    trades: bars.reduce((sum, bar) => sum + bar.trades, 0), takerBuyVolume: total('takerBuyVolume'),
    takerBuyQuoteVolume: total('takerBuyQuoteVolume'),
    complete: BigInt(bars.length) === (BigInt(endMs - startMs) * 1_000n) / MINUTE_US,
  }
}

const DAY_MS = 86_400_000

/** Where the bucket of an instant begins, ms since 1970: weeks on Monday, three days counted from 1970-01-02. */
function bucketOf(ms: number, interval: string): number {
  const day = new Date(ms)
  day.setUTCHours(0, 0, 0, 0)
  if (interval === '1mo') return day.setUTCDate(1)
  if (interval === '1w') return day.setUTCDate(day.getUTCDate() - ((day.getUTCDay() + 6) % 7))
  if (interval === '3d') return Math.floor((ms - DAY_MS) / (3 * DAY_MS)) * 3 * DAY_MS + DAY_MS
  return Math.floor(ms / stepOf(interval)) * stepOf(interval)
}

function endOf(startMs: number, interval: string): number {
  if (interval !== '1mo') return startMs + stepOf(interval)
  const start = new Date(startMs)
  return start.setUTCMonth(start.getUTCMonth() + 1)
}

function stepOf(interval: string): number {
  const unit = { m: 60_000, h: 3_600_000, d: DAY_MS, w: 7 * DAY_MS }[interval.at(-1) ?? ''] ?? 0
  return Number(interval.slice(0, -1)) * unit
}
