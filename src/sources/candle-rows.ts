import { CANDLE_COLUMNS, type NumericType } from '../domain/candle.js'

/** The columns that vary from row to row: the archive's first eleven CSV fields, in that order. */
export const ROW_COLUMNS = CANDLE_COLUMNS.flatMap(({ name, kind }) => (kind === 'text' ? [] : [{ name, kind }]))

export const OPEN_TIME = 0
export const CLOSE_TIME = 6
export const TRADES = 8

/**
 * One column of numbers as DuckDB lays it out in memory, little-endian: doubles, 64-bit integers (instants, counts,
 * DECIMAL(18,8)) or 128-bit ones (DECIMAL(38,8)). All are zero or more.
 */
export type Column = {
  readonly name: string
  readonly kind: 'instant' | 'price' | 'amount' | 'count'
  readonly form: 'double' | 'int64' | 'int128'
  /** 32-bit words a value: 2 or 4. */
  readonly width: number
  words: Uint32Array<ArrayBuffer>
  /** The same memory as doubles; meaningful where `form` is `double`. */
  doubles: Float64Array<ArrayBuffer>
}

export function formOf(kind: Column['kind'], numericType: NumericType): Column['form'] {
  if (kind === 'instant' || kind === 'count') return 'int64'
  if (numericType === 'double') return 'double'
  return kind === 'price' ? 'int64' : 'int128'
}

/** Rows of candles, column by column, that grow as they are read. */
export type CandleRows = {
  readonly numericType: NumericType
  readonly columns: readonly Column[]
  /** Rows held. */
  count: number
  /** Rows there is room for. */
  capacity: number
}

/** No rows, with room for `capacity` of them. */
export function emptyRows(numericType: NumericType, capacity: number): CandleRows {
  const columns = ROW_COLUMNS.map(({ name, kind }) => {
    const form = formOf(kind, numericType)
    const width = form === 'int128' ? 4 : 2
    return { name, kind, form, width, ...memory(capacity * width) }
  })
  return { numericType, columns, count: 0, capacity }
}

/** Rows that a process keeps from one partition to the next, so that megabytes are not made and collected for each. */
const KEPT_ROWS_MAX = 200_000

/** Gives memory for rows, the same again where it fits; only one taker may use it at a time. */
export class RowMemory {
  #kept: CandleRows | null = null

  take(numericType: NumericType, capacity: number): CandleRows {
    const kept = this.#kept
    const fits = kept?.numericType === numericType && kept.capacity >= capacity
    const rows = fits ? kept : emptyRows(numericType, capacity)
    rows.count = 0
    this.#kept = rows
    return rows
  }

  /** To be called when the rows have been used: a month of 1s is not kept. */
  release(): void {
    if (this.#kept && this.#kept.capacity > KEPT_ROWS_MAX) this.#kept = null
  }
}

/** Makes room for at least half as many rows again. */
export function grow(rows: CandleRows): void {
  const capacity = Math.max(1_024, Math.ceil(rows.capacity * 1.5))
  for (const column of rows.columns) {
    const { words, doubles } = memory(capacity * column.width)
    words.set(column.words.subarray(0, rows.count * column.width))
    column.words = words
    column.doubles = doubles
  }
  rows.capacity = capacity
}

/** Microseconds since 1970, or a count: exact up to 2^53. */
export function integerAt(column: Column, row: number): number {
  return (column.words[row * 2 + 1] ?? 0) * 4_294_967_296 + (column.words[row * 2] ?? 0)
}

export function setInteger(column: Column, row: number, value: number): void {
  const high = Math.floor(value / 4_294_967_296)
  const at = row * column.width
  column.words[at] = value - high * 4_294_967_296
  column.words[at + 1] = high
  if (column.width === 4) column.words[at + 2] = column.words[at + 3] = 0
}

export function setBigInteger(column: Column, row: number, value: bigint): void {
  const at = row * column.width
  for (let word = 0; word < column.width; word++) {
    column.words[at + word] = Number((value >> BigInt(32 * word)) & 0xffff_ffffn)
  }
}

/** Below zero, zero or above zero as the value of `a` is less than, equal to or more than that of `b` in this row. */
export function compareAt(a: Column, b: Column, row: number): number {
  if (a.form === 'double') return (a.doubles[row] ?? 0) - (b.doubles[row] ?? 0)
  for (let word = Math.max(a.width, b.width) - 1; word >= 0; word--) {
    const difference = wordAt(a, row, word) - wordAt(b, row, word)
    if (difference !== 0) return difference
  }
  return 0
}

const wordAt = (column: Column, row: number, word: number): number =>
  word < column.width ? (column.words[row * column.width + word] ?? 0) : 0

/** Whether two rows hold the same values in every column. */
export function sameRow(rows: CandleRows, a: number, b: number): boolean {
  return rows.columns.every(({ words, width }) => {
    for (let word = 0; word < width; word++) if (words[a * width + word] !== words[b * width + word]) return false
    return true
  })
}

function memory(words: number): Pick<Column, 'words' | 'doubles'> {
  const buffer = new ArrayBuffer(words * 4)
  return { words: new Uint32Array(buffer), doubles: new Float64Array(buffer) }
}
