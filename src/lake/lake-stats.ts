import { CANDLE_COLUMNS } from '../domain/candle.js'
import type { ColumnChunk, ParquetFooter } from '../domain/parquet-footer.js'

/** A value of the footer: instants bigint, decimals text, 64-bit integers number (bigint beyond 2^53). */
export type StatValue = number | bigint | string | null

/** Of one column: bytes as stored and as read, the least and the greatest value, and how many are missing. */
export type ColumnStats = {
  readonly type: string
  readonly bytes: number
  readonly uncompressedBytes: number
  readonly min: StatValue
  readonly max: StatValue
  readonly nulls: number | null
}

/** What a partition's footer says; `ratio` is uncompressed over stored bytes, `fromFooter` that no value was read. */
export type Stats = {
  readonly rows: number
  readonly bytes: number
  readonly codec: string
  readonly ratio: number
  readonly rowGroups: number
  readonly firstOpenUs: bigint | null
  readonly lastOpenUs: bigint | null
  readonly columns: Readonly<Record<string, ColumnStats>>
  readonly bytesRead: number
}

export function statsOf(footer: ParquetFooter, bytesRead: number): Stats {
  const columns = footer.columns.map(({ name, type }) => [name, columnStats(footer, name, type)] as const)
  const named = Object.fromEntries(columns)
  const total = (of: 'bytes' | 'uncompressedBytes'): number =>
    columns.reduce((sum, [, column]) => sum + column[of], 0)
  const codecs = new Set(footer.rowGroups.flatMap(({ chunks }) => chunks.map(({ codec }) => codec)))
  const instant = (value: StatValue | undefined): bigint | null => (typeof value === 'bigint' ? value : null)
  return {
    rows: footer.rows,
    bytes: footer.bytes,
    codec: [...codecs].join(', '),
    ratio: total('bytes') === 0 ? 1 : total('uncompressedBytes') / total('bytes'),
    rowGroups: footer.rowGroups.length,
    firstOpenUs: instant(named[CANDLE_COLUMNS[2].name]?.min),
    lastOpenUs: instant(named[CANDLE_COLUMNS[2].name]?.max),
    columns: named,
    bytesRead,
  }
}

function columnStats({ rowGroups }: ParquetFooter, name: string, type: string): ColumnStats {
  const chunks = rowGroups.flatMap((group) => group.chunks.filter(({ column }) => column === name))
  const nulls = chunks.map((chunk) => chunk.nulls)
  return {
    type,
    bytes: chunks.reduce((sum, { start, end }) => sum + end - start, 0),
    uncompressedBytes: chunks.reduce((sum, chunk) => sum + chunk.uncompressedBytes, 0),
    min: extreme(chunks, type, 'min'),
    max: extreme(chunks, type, 'max'),
    nulls: nulls.includes(null) ? null : nulls.reduce<number>((sum, count) => sum + (count ?? 0), 0),
  }
}

/** Of all row groups; null where one of them does not say. */
function extreme(chunks: readonly ColumnChunk[], type: string, of: 'min' | 'max'): StatValue {
  const values = chunks.map((chunk) => (chunk[of] === null ? null : decoded(chunk[of], type)))
  if (values.length === 0 || values.includes(null)) return null
  const best = values.reduce((a, b) => ((of === 'min' ? b! < a! : b! > a!) ? b : a))
  return shownAs(best!, type)
}

const SCALE = /^DECIMAL\(\d+,(\d+)\)$/

/** Comparable: decimals as whole numbers of their last digit. */
function decoded(bytes: Uint8Array, type: string): number | bigint | string | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (type === 'VARCHAR') return new TextDecoder().decode(bytes)
  if (SCALE.test(type)) return bytes.length === 8 ? view.getBigInt64(0, true) : bigEndian(bytes)
  if (bytes.length !== 8) return null
  return type === 'DOUBLE' ? view.getFloat64(0, true) : view.getBigInt64(0, true)
}

const bigEndian = (bytes: Uint8Array): bigint =>
  BigInt.asIntN(
    bytes.length * 8,
    bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n),
  )

function shownAs(value: number | bigint | string, type: string): StatValue {
  const scale = Number(SCALE.exec(type)?.[1] ?? Number.NaN)
  if (typeof value !== 'bigint') return value
  if (!Number.isNaN(scale)) return decimalText(value, scale)
  return type === 'BIGINT' && Number.isSafeInteger(Number(value)) ? Number(value) : value
}

/** `12345n` at scale 2 is `123.45`. */
export function decimalText(value: bigint, scale: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0')
  const at = digits.length - scale
  return `${value < 0n ? '-' : ''}${digits.slice(0, at)}${scale > 0 ? `.${digits.slice(at)}` : ''}`
}
