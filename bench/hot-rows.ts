import type { Catalog } from '../src/adapters/postgres/connect.js'
import { HOT_NUMBERS, type HotCandle } from '../src/domain/hot-candle.js'
import type { Series } from '../src/domain/partition.js'

export const MINUTE_US = 60_000_000n
export const START_US = BigInt(Date.parse('2024-01-01')) * 1_000n

export const series = (n: number): Series => ({ dataset: 'spot-klines', symbol: `BENCH${n}USDT`, interval: '1m' })

/** Rows of 1m from the first of January on. */
export function candles(count: number): HotCandle[] {
  return Array.from({ length: count }, (_, n) => {
    const fraction = 10_000_000 + n * 31 % 89_999_999
    const number = (salt: number): string => `${20_000 + (n * 7_919 + salt) % 9_973}.${fraction}`
    const numbers = Object.fromEntries(HOT_NUMBERS.map((field, i) => [field, number(i)])) as Pick<HotCandle, 'open'>
    const openTimeUs = START_US + BigInt(n) * MINUTE_US
    return { openTimeUs, closeTimeUs: openTimeUs + MINUTE_US - 1_000n, trades: n % 500, ...numbers } as HotCandle
  })
}

export const empty = async ({ pool }: Catalog): Promise<void> => void (await pool.query('truncate hot_candles'))
