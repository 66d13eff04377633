import type { Batches, Candle } from '../domain/candle-row.js'
import type { Series } from '../domain/partition.js'
import type { TextFormat } from './export-format.js'

/** Candles of one series. */
export type SeriesRows = { readonly series: Series; readonly batches: Batches<Candle<number> | Candle<string>> }

/** Series, one after the other. */
export type Parts = Iterable<SeriesRows> | AsyncIterable<SeriesRows>

type AnyCandle = Candle<number | string>

/** The archive's own names and order, without the ignored last field, behind the series that a row is of. */
export const CSV_COLUMNS = [
  'symbol', 'interval', 'open_time', 'open', 'high', 'low', 'close', 'volume', 'close_time', 'quote_volume', 'count',
  'taker_buy_volume', 'taker_buy_quote_volume',
] as const

/** The rows of some series, one after the other, as text in pieces of some thousand rows. */
export function textRows(format: TextFormat, parts: Parts): AsyncGenerator<string> {
  if (format === 'json') return arrayOf(parts)
  return format === 'jsonl' ? lines(parts, jsonOf) : csvOf(parts)
}

async function* csvOf(parts: Parts): AsyncGenerator<string> {
  yield `${CSV_COLUMNS.join(',')}\n`
  yield* lines(parts, csvLine)
}

async function* lines(
  parts: Parts, lineOf: (series: Series, row: AnyCandle) => string,
): AsyncGenerator<string> {
  for await (const { series, batches } of parts) {
    for await (const batch of batches) yield batch.map((row) => `${lineOf(series, row)}\n`).join('')
  }
}

async function* arrayOf(parts: Parts): AsyncGenerator<string> {
  let before = '['
  for await (const { series, batches } of parts) {
    for await (const batch of batches) {
      if (batch.length === 0) continue
      yield `${before}\n${batch.map((row) => jsonOf(series, row)).join(',\n')}`
      before = ','
    }
  }
  yield before === '[' ? '[]\n' : '\n]\n'
}

/** Symbols hold letters, digits, `_` and `-` only: nothing needs quotes. */
function csvLine({ symbol, interval }: Series, c: AnyCandle): string {
  return [
    symbol, interval, c.openTimeUs, plain(c.open), plain(c.high), plain(c.low), plain(c.close), plain(c.volume),
    c.closeTimeUs, plain(c.quoteVolume), c.trades, plain(c.takerBuyVolume), plain(c.takerBuyQuoteVolume),
  ].join(',')
}

/** The lake's own names; instants as ISO 8601, exact decimals as text, doubles as numbers. */
function jsonOf({ symbol, interval }: Series, c: AnyCandle): string {
  return JSON.stringify({
    symbol, interval, open_time: isoOf(c.openTimeUs), open: c.open, high: c.high, low: c.low, close: c.close,
    volume: c.volume, close_time: isoOf(c.closeTimeUs), quote_volume: c.quoteVolume, trades: c.trades,
    taker_buy_volume: c.takerBuyVolume, taker_buy_quote_volume: c.takerBuyQuoteVolume,
  })
}

/** `2024-01-01T00:59:59.999999Z`; without a fraction where there is none. */
function isoOf(us: bigint): string {
  const ms = us / 1_000n
  const iso = `${new Date(Number(ms)).toISOString().slice(0, 23)}${String(us - ms * 1_000n).padStart(3, '0')}`
  return `${iso.replace(/\.?0{1,6}$/, '')}Z`
}

/** A number without an exponent: the shortest digits that give the same double. */
function plain(value: number | string): string {
  const text = String(value)
  const [digits = '', exponent] = text.split('e')
  if (exponent === undefined || typeof value === 'string') return text
  const [whole = '', fraction = ''] = digits.replace('-', '').split('.')
  const point = whole.length + Number(exponent)
  const all = `${'0'.repeat(Math.max(0, 1 - point))}${whole}${fraction}`.padEnd(point, '0')
  const at = Math.max(1, point)
  return `${value < 0 ? '-' : ''}${all.slice(0, at)}${at < all.length ? `.${all.slice(at)}` : ''}`
}
