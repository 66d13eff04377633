import { sql, type RawBuilder } from 'kysely'
import { HOT_NUMBERS, STANDINGS, type HotCandle } from '../../../domain/hot-candle.js'
import { US_PER_MS, YEAR_10000_US } from '../../../domain/month.js'
import type { Series } from '../../../domain/partition.js'

/** Columns of `hot_candles` beside the key's series and the standing, in the order of a row's values. */
export const VALUE_COLUMNS = [
  'open_time', 'close_time', 'trades',
  ...HOT_NUMBERS.map((field) => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)),
] as const

/** Postgres' type of each. */
export const TYPE_OF = (column: string): string =>
  column.endsWith('_time') ? 'timestamptz' : column === 'trades' ? 'bigint' : 'numeric'

/** A row's values as Postgres reads them. */
export const valuesOf = (row: HotCandle): string[] => [
  instantText(row.openTimeUs), instantText(row.closeTimeUs), String(row.trades),
  ...HOT_NUMBERS.map((field) => row[field]),
]

/** What is selected of a row `c`: instants as text, since the driver's own reading ends at milliseconds. */
export const selected: RawBuilder<unknown> = sql.raw([
  'c.open_time::text as "openTime"', 'c.close_time::text as "closeTime"', 'c.trades',
  ...HOT_NUMBERS.map((field, i) => `c.${VALUE_COLUMNS[i + 3]} as "${field}"`),
].join(', '))

export type HotRow = Omit<HotCandle, 'openTimeUs' | 'closeTimeUs'> & {
  readonly openTime: string
  readonly closeTime: string
}

export const candleOf = (row: HotRow): HotCandle => ({
  openTimeUs: usOf(row.openTime), closeTimeUs: usOf(row.closeTime), trades: row.trades,
  open: row.open, high: row.high, low: row.low, close: row.close, volume: row.volume, quoteVolume: row.quoteVolume,
  takerBuyVolume: row.takerBuyVolume, takerBuyQuoteVolume: row.takerBuyQuoteVolume,
})

/** `2024-01-31T23:59:59.999999+00`. */
export function instantText(us: bigint): string {
  const ms = us / US_PER_MS
  return `${new Date(Number(ms)).toISOString().slice(0, 23)}${String(us % US_PER_MS).padStart(3, '0')}+00`
}

/** The inverse for what Postgres writes in UTC: `2024-01-31 23:59:59.5+00`. */
export function usOf(text: string): bigint {
  const day = text.slice(0, 10)
  if (lastDay.text !== day) lastDay = { text: day, us: Date.parse(`${day}T00:00:00Z`) * 1_000 }
  const seconds = (two(text, 11) * 60 + two(text, 14)) * 60 + two(text, 17)
  const us = text[19] === '.' ? Number(text.slice(20, -3).padEnd(6, '0')) : 0
  return BigInt(lastDay.us + seconds * 1_000_000 + us)
}

/** Rows come day by day: their dates are read once each. Microseconds of any year fit a double. */
let lastDay = { text: '', us: 0 }

const two = (text: string, at: number): number => (text.charCodeAt(at) - 48) * 10 + text.charCodeAt(at + 1) - 48

/** The id of a series in SQL; null where no row of it was ever stored. */
export const idOf = ({ dataset, symbol, interval }: Series): RawBuilder<number | null> => sql<number | null>`(
  select id from hot_series where dataset = ${dataset} and symbol = ${symbol} and "interval" = ${interval})`

/** The condition that a row `c` has one of these open times. */
export const isIn = ({ fromUs, toUs }: { fromUs: bigint; toUs: bigint }): RawBuilder<boolean> => sql<boolean>`
  c.open_time >= ${boundText(fromUs)}::timestamptz and c.open_time < ${boundText(toUs)}::timestamptz`

/** Any instant as the end of a range: no row lies outside of those that `instantText` can write. */
const boundText = (us: bigint): string => us < 0n ? '-infinity' : us >= YEAR_10000_US ? 'infinity' : instantText(us)

/** The condition that a row `c` is of a closed bar. */
export const isClosed: RawBuilder<boolean> = sql`c.standing >= ${sql.lit(STANDINGS.indexOf('closed'))}`
