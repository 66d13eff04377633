/** How a lake holds numbers: IEEE doubles, or exact decimals (prices DECIMAL(18,8), amounts DECIMAL(38,8)). */
export type NumericType = 'double' | 'decimal'
export const NUMERIC_TYPES: readonly NumericType[] = ['double', 'decimal']

export type ColumnKind = 'text' | 'instant' | 'price' | 'amount' | 'count'

/** A column of every candle partition, in file order. Instants are UTC, microseconds; none is nullable. */
export type CandleColumn = { readonly name: string; readonly kind: ColumnKind; readonly constant?: true }

export const CANDLE_COLUMNS = [
  { name: 'symbol', kind: 'text', constant: true },
  { name: 'interval', kind: 'text', constant: true },
  { name: 'open_time', kind: 'instant' },
  { name: 'open', kind: 'price' },
  { name: 'high', kind: 'price' },
  { name: 'low', kind: 'price' },
  { name: 'close', kind: 'price' },
  { name: 'volume', kind: 'amount' },
  { name: 'close_time', kind: 'instant' },
  { name: 'quote_volume', kind: 'amount' },
  { name: 'trades', kind: 'count' },
  { name: 'taker_buy_volume', kind: 'amount' },
  { name: 'taker_buy_quote_volume', kind: 'amount' },
] as const satisfies readonly CandleColumn[]

export type CandleColumnName = (typeof CANDLE_COLUMNS)[number]['name']

/** The archive's own order of a kline row: the twelve CSV fields, of which the last is ignored. */
export const CSV_FIELDS = [
  'open_time', 'open', 'high', 'low', 'close', 'volume', 'close_time', 'quote_volume', 'trades',
  'taker_buy_volume', 'taker_buy_quote_volume', 'ignore',
] as const

/** DuckDB's type of a column in a lake of this numeric type. */
export function sqlTypeOf(kind: ColumnKind, numericType: NumericType): string {
  switch (kind) {
    case 'text': return 'VARCHAR'
    case 'instant': return 'TIMESTAMPTZ'
    case 'count': return 'BIGINT'
    case 'price': return numericType === 'double' ? 'DOUBLE' : 'DECIMAL(18,8)'
    case 'amount': return numericType === 'double' ? 'DOUBLE' : 'DECIMAL(38,8)'
  }
}

/** Raised whenever the same source would give other bytes: part of every revision. */
export const SCHEMA_VERSION = 1
