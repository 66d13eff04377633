import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { CSV_FIELDS } from '../domain/candle.js'
import { classifyFirstLine } from '../domain/csv-header.js'
import { PipelineError } from '../domain/errors.js'
import type { HotCandle } from '../domain/hot-candle.js'

const BATCH_ROWS = 16_384
const NUMBER = /^-?\d{1,30}(\.\d{1,18})?$/
/** Milliseconds have 13 digits until 2286, microseconds 16. */
const TIME = /^\d{13}(\d{3})?$/
const BYTE_ORDER_MARK = /^\ufeff/

/**
 * Rows of klines CSV as the archive writes it, with or without a header, times in milliseconds or microseconds.
 * @throws {CORRUPT} naming the line; the first one where its names stand in another order
 */
export async function* klineCsvRows(text: Readable, name: string): AsyncGenerator<HotCandle[]> {
  let line = 0
  let batch: HotCandle[] = []
  for await (const read of createInterface({ input: text, crlfDelay: Infinity })) {
    const one = ++line === 1 ? read.replace(BYTE_ORDER_MARK, '') : read
    if (one === '' || (line === 1 && classifyFirstLine(one) !== 'row')) continue
    batch.push(rowOf(one.split(','), `${name} line ${line}`))
    if (batch.length < BATCH_ROWS) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

function rowOf(cells: readonly string[], at: string): HotCandle {
  const cell = (name: (typeof CSV_FIELDS)[number], form: RegExp): string => {
    const text = cells[CSV_FIELDS.indexOf(name)]?.trim() ?? ''
    if (form.test(text)) return text
    throw new PipelineError('CORRUPT', `${name} cannot be "${text.slice(0, 40)}"`, { at, column: name })
  }
  const instant = (name: 'open_time' | 'close_time'): bigint => {
    const text = cell(name, TIME)
    return text.length === 13 ? BigInt(text) * 1_000n : BigInt(text)
  }
  return {
    openTimeUs: instant('open_time'), closeTimeUs: instant('close_time'), trades: Number(cell('trades', /^\d{1,15}$/)),
    open: cell('open', NUMBER), high: cell('high', NUMBER), low: cell('low', NUMBER), close: cell('close', NUMBER),
    volume: cell('volume', NUMBER), quoteVolume: cell('quote_volume', NUMBER),
    takerBuyVolume: cell('taker_buy_volume', NUMBER), takerBuyQuoteVolume: cell('taker_buy_quote_volume', NUMBER),
  }
}
