import type { FindingCode } from '../domain/findings.js'
import { setBigInteger, setInteger, type Column } from './candle-rows.js'

/** Why a cell is refused; the reader adds where it stands. */
export class BadCell extends Error {
  readonly finding: FindingCode

  constructor(finding: FindingCode, message: string) {
    super(message)
    this.finding = finding
  }
}

/** A number as written: `digits * 10^-scale`, with no trailing zero among the digits of a fraction. */
export type Decimal = {
  readonly digits: bigint
  readonly scale: number
  readonly text: string
  readonly exponent: boolean
}

const NUMBER = /^(-?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,5}))?$/
const NOT_FINITE = /^[+-]?(nan|inf|infinity)$/i
const SCALE = 8
/** A DECIMAL(38,8) as an integer ends below this; a DECIMAL(18,8) below the other. */
const AMOUNT_END = 10n ** 38n
const PRICE_END = 10n ** 18n
/** Below 2^26 the doubles lie closer than the eighth decimal, so every number of eight decimals comes back from one. */
export const ALWAYS_EXACT_BELOW = 67_108_864

/**
 * Reads a number without loss. Spaces around it must have been taken off.
 * @throws {BadCell} VALUE_MISSING, VALUE_NOT_FINITE, VALUE_NOT_A_NUMBER
 */
export function parseDecimal(name: string, text: string): Decimal {
  if (text === '') throw new BadCell('VALUE_MISSING', `${name} is empty`)
  if (NOT_FINITE.test(text)) throw new BadCell('VALUE_NOT_FINITE', `${name} ${text}`)
  const m = NUMBER.exec(text)
  const whole = m?.[2] ?? ''
  const fraction = (m?.[3] ?? '').replace(/0+$/, '')
  if (!m || (whole === '' && (m[3] ?? '') === '')) throw new BadCell('VALUE_NOT_A_NUMBER', `${name} "${text}"`)
  if (!Number.isFinite(Number(text))) throw new BadCell('VALUE_NOT_FINITE', `${name} ${text} is larger than any double`)
  const magnitude = BigInt(whole + fraction)
  const digits = m[1] === '-' ? -magnitude : magnitude
  return { ...scaled(digits, fraction.length - Number(m[4] ?? 0)), text, exponent: m[4] !== undefined }
}

function scaled(digits: bigint, scale: number): { digits: bigint; scale: number } {
  if (digits === 0n) return { digits, scale: 0 }
  if (scale <= 0) return { digits: digits * 10n ** BigInt(-scale), scale: 0 }
  while (scale > 0 && digits % 10n === 0n) [digits, scale] = [digits / 10n, scale - 1]
  return { digits, scale }
}

/** Writes a price or an amount into its column; true when a double does not hold it to the eighth decimal. */
export function storeValue(column: Column, row: number, value: Decimal): boolean {
  if (value.digits < 0n && column.kind === 'amount')
    throw new BadCell('VOLUME_NEGATIVE', `${column.name} ${value.text}`)
  if (value.digits <= 0n && column.kind === 'price')
    throw new BadCell('PRICE_NOT_POSITIVE', `${column.name} ${value.text}`)
  return column.form === 'double' ? storeDouble(column, row, value) : storeDecimal(column, row, value)
}

function storeDouble(column: Column, row: number, value: Decimal): boolean {
  const double = Math.abs(Number(value.text))
  if (double === 0 && column.kind === 'price') throw new BadCell('PRICE_NOT_POSITIVE', `${column.name} ${value.text}`)
  column.doubles[row] = double
  if (value.scale > SCALE) return true
  return double >= ALWAYS_EXACT_BELOW && eightDecimalsOf(double) !== value.digits * 10n ** BigInt(SCALE - value.scale)
}

/** The double written with eight decimals, times 10^8; `toFixed` is exact below 1e21, whole numbers are beyond. */
function eightDecimalsOf(double: number): bigint {
  return double < 1e21 ? BigInt(double.toFixed(SCALE).replace('.', '')) : BigInt(double) * 10n ** BigInt(SCALE)
}

function storeDecimal(column: Column, row: number, value: Decimal): false {
  if (value.scale > SCALE) throw new BadCell('DECIMALS_EXCEEDED', `${column.name} ${value.text}`)
  const integer = value.digits * 10n ** BigInt(SCALE - value.scale)
  const end = column.kind === 'price' ? PRICE_END : AMOUNT_END
  if (integer >= end)
    throw new BadCell('VALUE_OUT_OF_RANGE', `${column.name} ${value.text} is too large for a decimal lake`)
  setBigInteger(column, row, integer)
  return false
}

/** Writes a count into its column. @throws {BadCell} VALUE_NOT_A_NUMBER, VALUE_OUT_OF_RANGE */
export function storeCount(column: Column, row: number, value: Decimal): void {
  if (value.scale > 0) throw new BadCell('VALUE_NOT_A_NUMBER', `${column.name} ${value.text} is not a whole number`)
  if (value.digits < 0n || value.digits > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new BadCell('VALUE_OUT_OF_RANGE', `${column.name} ${value.text}`)
  }
  setInteger(column, row, Number(value.digits))
}

export type TimeUnit = 'ms' | 'us'

/** The unit of a time by its magnitude: 13 digits are milliseconds, 16 are microseconds; null for any other. */
export function unitOf(time: number): TimeUnit | null {
  if (time >= 1e12 && time < 1e13) return 'ms'
  return time >= 1e15 && time < 1e16 ? 'us' : null
}

/** A time in microseconds since 1970. @throws {BadCell} VALUE_NOT_A_NUMBER, TIME_IMPLAUSIBLE */
export function parseTime(name: string, value: Decimal): { us: number; unit: TimeUnit } {
  if (value.scale > 0) throw new BadCell('VALUE_NOT_A_NUMBER', `${name} ${value.text} is not a whole number`)
  const time = Number(value.digits)
  const unit = unitOf(time)
  if (unit === null)
    throw new BadCell('TIME_IMPLAUSIBLE', `${name} ${value.text} is neither milliseconds nor microseconds`)
  return { us: unit === 'ms' ? time * 1_000 : time, unit }
}
