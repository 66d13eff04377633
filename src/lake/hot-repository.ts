import type { NumericType } from '../domain/candle.js'
import { PipelineError } from '../domain/errors.js'
import { HOT_NUMBERS, type HotCandle } from '../domain/hot-candle.js'
import { YEAR_10000_US } from '../domain/month.js'
import { seriesKeyOf, type Series } from '../domain/partition.js'
import type { HotStore } from '../domain/ports/hot-store.js'
import type { MarketDataRepository } from '../domain/ports/market-data-repository.js'
import { sliceOf } from '../domain/slice.js'
import type { Candle } from './candle.js'

const PRICES: ReadonlySet<string> = new Set(['open', 'high', 'low', 'close'])
const SCALE = 8

/** Hot rows alone, closed bars only, numbers as in a lake of this type. What is saved counts as REST's closed bars. */
export function hotRepository<N>(store: HotStore, numericType: NumericType): MarketDataRepository<Candle<N>> {
  const candle = candleReader<N>(numericType)
  return {
    getByDateRange: async (at) => (await store.read(sliceOf(at, at.fromUs, at.toUs))).map(candle),
    getLatest: async (s, limit = 1) => (await store.latest(s, checkLimit(limit))).map(candle),
    save: async (s, rows) => await store.save(s, rows.map((row) => hotCandleOf(row, s, numericType)), 'closed'),
    exists: async (at) => await store.exists(sliceOf(at, at.fromUs, at.toUs)),
    deleteByDateRange: async (at) => await store.delete(sliceOf(at, at.fromUs, at.toUs)),
    getAvailableDates: async (s) => await store.days(s),
  }
}

/** @throws {BAD_USAGE} */
export function checkLimit(limit: number): number {
  if (Number.isSafeInteger(limit) && limit >= 0) return limit
  throw new PipelineError('BAD_USAGE', 'a limit is a whole number', { at: 'limit' })
}

/** Makes of a hot row what the lake would give: doubles, or decimals of eight places. */
export function candleReader<N>(numericType: NumericType): (row: HotCandle) => Candle<N> {
  const number = numericType === 'double' ? Number : atScale
  // Field by field: by a list of names a row costs five times as much, and a migration makes millions of them.
  return (row) => ({
    openTimeUs: row.openTimeUs, closeTimeUs: row.closeTimeUs, trades: row.trades,
    open: number(row.open), high: number(row.high), low: number(row.low), close: number(row.close),
    volume: number(row.volume), quoteVolume: number(row.quoteVolume), takerBuyVolume: number(row.takerBuyVolume),
    takerBuyQuoteVolume: number(row.takerBuyQuoteVolume),
  }) as Candle<N>
}

/** Decimal text with eight places, as DuckDB writes a DECIMAL(…,8); what has more of them stays as it is. */
export function atScale(text: string): string {
  const [whole = '', fraction = ''] = text.split('.')
  const digits = fraction.replace(/0+$/, '')
  return `${whole}.${digits.padEnd(SCALE, '0')}`
}

/** The exact row of a candle in the lake's type. @throws {CORRUPT} a value that is missing or none */
export function hotCandleOf<N>(row: Candle<N>, s: Series, numericType: NumericType): HotCandle {
  const odd = (field: string, value: unknown): never => {
    const message = `${field} cannot be ${String(value).slice(0, 40)}`
    throw new PipelineError('CORRUPT', message, { at: seriesKeyOf(s), column: field })
  }
  const { openTimeUs, closeTimeUs, trades } = row
  if (typeof openTimeUs !== 'bigint' || openTimeUs < 0n || openTimeUs >= YEAR_10000_US) odd('openTimeUs', openTimeUs)
  if (typeof closeTimeUs !== 'bigint' || closeTimeUs < 0n || closeTimeUs >= YEAR_10000_US) odd('closeTimeUs', closeTimeUs)
  if (!Number.isSafeInteger(trades)) odd('trades', trades)
  const isNumber = numericType === 'double' ? isDouble : isDecimal
  for (const field of HOT_NUMBERS) if (!isNumber(row[field], field)) odd(field, row[field])
  const numbers = Object.fromEntries(HOT_NUMBERS.map((field) => [field, String(row[field])]))
  return { openTimeUs, closeTimeUs, trades, ...numbers } as HotCandle
}

const isDouble = (value: unknown): boolean => Number.isFinite(value)

function isDecimal(value: unknown, field: string): boolean {
  const parts = typeof value === 'string' ? /^-?0*(\d+)(?:\.\d{1,8}0*)?$/.exec(value) : null
  return parts !== null && (parts[1] ?? '').length <= (PRICES.has(field) ? 10 : 30)
}
