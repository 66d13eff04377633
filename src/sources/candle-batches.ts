import type { Candle } from '../domain/candle-row.js'
import type { TimeRange } from '../domain/month.js'
import { CLOSE_TIME, integerAt, OPEN_TIME, TRADES, type CandleRows, type Column } from './candle-rows.js'

const BATCH_ROWS = 4_096
const TWO_32 = 4_294_967_296
const ONE = 100_000_000
/** An upper word below this makes, with the lower one, an integer that a double holds. */
const SAFE_UPPER = 2_097_152

/** Rows that hold decimals, some thousand at a time, without those that open outside of the range. */
export function* candleBatches(rows: CandleRows, { fromUs, toUs }: TimeRange): Generator<Candle<string>[]> {
  const times = rows.columns[OPEN_TIME]!
  let batch: Candle<string>[] = []
  for (let row = 0; row < rows.count; row++) {
    const open = integerAt(times, row)
    if (open < fromUs || open >= toUs) continue
    batch.push(candleAt(rows.columns, row, open))
    if (batch.length < BATCH_ROWS) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

function candleAt(columns: readonly Column[], row: number, openUs: number): Candle<string> {
  const text = (index: number): string => decimalAt(columns[index]!, row)
  return {
    openTimeUs: BigInt(openUs),
    open: text(1),
    high: text(2),
    low: text(3),
    close: text(4),
    volume: text(5),
    closeTimeUs: BigInt(integerAt(columns[CLOSE_TIME]!, row)),
    quoteVolume: text(7),
    trades: integerAt(columns[TRADES]!, row),
    takerBuyVolume: text(9),
    takerBuyQuoteVolume: text(10),
  }
}

/** A decimal as text, with its eight places. Zero or more. */
export function decimalAt({ words, width }: Column, row: number): string {
  const at = row * width
  const upper = words[at + 1]!
  if (upper >= SAFE_UPPER || (width === 4 && (words[at + 2] !== 0 || words[at + 3] !== 0))) {
    return longDecimal(words.subarray(at, at + width))
  }
  const scaled = upper * TWO_32 + words[at]!
  const whole = Math.floor(scaled / ONE)
  return withFraction(String(whole), scaled - whole * ONE)
}

function longDecimal(words: Uint32Array): string {
  const scaled = words.reduceRight((sum, word) => (sum << 32n) + BigInt(word), 0n)
  return withFraction(String(scaled / BigInt(ONE)), Number(scaled % BigInt(ONE)))
}

const withFraction = (whole: string, fraction: number): string => `${whole}.${String(fraction).padStart(8, '0')}`
