const COMMA = 44
const POINT = 46
const ZERO = 48
/** What a reader returns in place of a position where the text is not what it reads. */
const REFUSED = -1

/** The last number that `readNumber` read: its whole part, its decimals as an integer, and how many they are. */
export const number = new Float64Array(3)

/** Reads digits with or without decimals, up to a comma, into `number`; the position after the comma, or -1. */
export function readNumber(bytes: Uint8Array, view: DataView, from: number): number {
  let pos = from
  let byte = bytes[pos]!
  let whole = 0
  while ((byte ^ ZERO) < 10) {
    whole = (Math.imul(whole, 10) + (byte ^ ZERO)) | 0
    byte = bytes[++pos]!
  }
  const digits = pos - from
  if (digits === 0 || digits > 16) return REFUSED
  number[0] = digits > 9 ? longInteger(bytes, from, pos) : whole
  let fraction = 0
  let decimals = 0
  if (byte === POINT) {
    const point = ++pos
    if (hasEightDigits(bytes, view, pos)) {
      number[1] = fourDigits(view.getUint32(pos, true)) * 10_000 + fourDigits(view.getUint32(pos + 4, true))
      number[2] = 8
      return pos + 9
    }
    byte = bytes[pos]!
    while ((byte ^ ZERO) < 10) {
      fraction = (Math.imul(fraction, 10) + (byte ^ ZERO)) | 0
      byte = bytes[++pos]!
    }
    decimals = pos - point
    if (decimals === 0 || decimals > 8) return REFUSED
  }
  number[1] = fraction
  number[2] = decimals
  return byte === COMMA ? pos + 1 : REFUSED
}

/** Whether exactly eight digits stand here: what spot prints after every point. */
const hasEightDigits = (bytes: Uint8Array, view: DataView, at: number): boolean =>
  at + 8 < bytes.length &&
  bytes[at + 8] === COMMA &&
  areDigits(view.getUint32(at, true)) &&
  areDigits(view.getUint32(at + 4, true))

/** Four bytes of text at a time cost a third of four times one: a digit is 0x30 to 0x39. */
export function areDigits(four: number): boolean {
  const values = four ^ 0x30303030
  return (((values + 0x76767676) | values) & 0x80808080) === 0
}

export function fourDigits(four: number): number {
  const values = four ^ 0x30303030
  const pairs = (Math.imul(values, 10) + (values >>> 8)) & 0x00ff00ff
  return (pairs & 0xff) * 100 + (pairs >>> 16)
}

/** Ten to sixteen digits, in two halves that each fit a double. */
function longInteger(bytes: Uint8Array, from: number, to: number): number {
  const middle = to - 8
  let high = 0
  for (let at = from; at < middle; at++) high = (Math.imul(high, 10) + (bytes[at]! ^ ZERO)) | 0
  let low = 0
  for (let at = middle; at < to; at++) low = (Math.imul(low, 10) + (bytes[at]! ^ ZERO)) | 0
  return high * 1e8 + low
}

export const textOf = (bytes: Uint8Array, from: number, to: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1')
