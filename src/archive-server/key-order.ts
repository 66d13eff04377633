const SURROGATE = /[\ud800-\udfff]/

/**
 * The bucket's order of keys: by UTF-8 bytes. JavaScript's own order is the same unless a character outside the
 * basic plane meets one of U+E000 or above, so only then are bytes compared.
 */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return a < b ? -1 : 1
}
