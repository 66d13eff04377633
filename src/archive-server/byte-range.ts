/** A stretch of a body: both offsets count from 0 and both ends are in. */
export type ByteRange = { readonly first: number; readonly last: number }

/**
 * What a Range header asks of a body of `size` bytes: null for the whole body (no header, several ranges or nonsense,
 * which the bucket ignores), `unsatisfiable` where no byte of it exists.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | null {
  const m = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header ?? '')
  if (!m || (m[1] === '' && m[2] === '')) return null
  if (m[1] === '') {
    const length = Number(m[2])
    return length === 0 || size === 0 ? 'unsatisfiable' : { first: Math.max(0, size - length), last: size - 1 }
  }
  const first = Number(m[1])
  const last = m[2] === '' ? Infinity : Number(m[2])
  if (last < first) return null
  return first >= size ? 'unsatisfiable' : { first, last: Math.min(last, size - 1) }
}
