import type { NumericType } from '../../src/domain/candle.js'
import type { TimeRange } from '../../src/domain/month.js'

/**
 * A candle as the oracle reads it: times in microseconds, numbers as canonical decimals (no exponent, no idle zeros).
 */
export type OracleRow = { readonly openUs: bigint; readonly closeUs: bigint; readonly values: readonly string[] }

const VALUES = [1, 2, 3, 4, 5, 7, 8, 9, 10]
const NUMBER = /^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/

/**
 * A second reading of a source's CSV, by other means than the engine's: text, BigInt and no speed. Null where the text
 * is no table of candles; the distinct rows in order of time otherwise.
 */
export function readWithOracle(content: Buffer, range: TimeRange): OracleRow[] | null {
  const text = content
    .toString('latin1')
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .trimEnd()
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''))
  if (lines[0] !== undefined && isHeader(lines[0])) lines.shift()
  const rows = new Map<bigint, OracleRow>()
  for (const line of lines) {
    const row = rowOf(line)
    if (!row || row.openUs < range.fromUs || row.openUs >= range.toUs) return null
    const same = rows.get(row.openUs)
    if (same && JSON.stringify(same.values) + same.closeUs !== JSON.stringify(row.values) + row.closeUs) return null
    rows.set(row.openUs, row)
  }
  return rows.size === 0 ? null : [...rows.values()].sort((a, b) => (a.openUs < b.openUs ? -1 : 1))
}

const isHeader = (line: string): boolean => {
  const cells = line.split(',')
  return cells.length === 12 && cells.every((cell) => /^\s*[A-Za-z_]/.test(cell) && Number.isNaN(Number(cell)))
}

function rowOf(line: string): OracleRow | null {
  const cells = line.split(',').map((cell) => cell.trim())
  if (cells.length !== 12 || cells.slice(0, 11).some((cell) => !NUMBER.test(cell))) return null
  const values = VALUES.map((field) => canonical(cells[field] ?? ''))
  const [open, close] = [microsecondsOf(cells[0] ?? ''), microsecondsOf(cells[6] ?? '')]
  if (open === null || close === null || !valuesCanBeTrue(values)) return null
  return { openUs: open, closeUs: close, values }
}

function microsecondsOf(cell: string): bigint | null {
  const text = canonical(cell)
  if (!/^\d+$/.test(text)) return null
  return text.length === 13 ? BigInt(text) * 1_000n : text.length === 16 ? BigInt(text) : null
}

/** Prices above zero, nothing below it, trades whole. */
function valuesCanBeTrue(values: readonly string[]): boolean {
  if (values.some((value) => value.startsWith('-'))) return false
  if (values.slice(0, 4).some((value) => value === '0')) return false
  return /^\d+$/.test(values[6] ?? '')
}

/** The number as digits with a point where needed, whatever the exponent and the zeros it was written with. */
export function canonical(text: string): string {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e')
  const negative = mantissa.startsWith('-')
  const [whole = '', fraction = ''] = mantissa.replace(/^-/, '').split('.')
  const shift = Math.max(-500, Math.min(500, Number(exponent)))
  const digits = `${'0'.repeat(500)}${whole}${fraction}${'0'.repeat(500)}`
  const point = 500 + whole.length + shift
  const head = digits.slice(0, point).replace(/^0+(?=\d)/, '') || '0'
  const tail = digits.slice(point).replace(/0+$/, '')
  const number = tail === '' ? head : `${head}.${tail}`
  return negative && number !== '0' ? `-${number}` : number
}

/** What a lake of this type must hold for a number of the source. */
export const expectedValue = (value: string, numericType: NumericType): string =>
  numericType === 'double' ? String(Number(value)) : value
