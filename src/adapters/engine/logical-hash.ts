import type { CandleRows } from './candle-rows.js'

/**
 * An order-independent hash of all values of all rows, by 32-bit arithmetic of our own: DuckDB does not promise that
 * its `hash()` stays the same from version to version, and this one is stored in certificates. Two lanes a row, each
 * with a finaliser, are added up, so that rows may come in any order and any number of batches.
 */
export class LogicalHash {
  #rows = 0
  #first = 0
  #second = 0

  /** Takes in rows `[from, to)`. */
  add(rows: CandleRows, from = 0, to = rows.count): void {
    const words = rows.columns.map((column) => column.words)
    const widths = rows.columns.map((column) => column.width)
    let first = this.#first
    let second = this.#second
    for (let row = from; row < to; row++) {
      let a = 0x9e3779b9 | 0
      let b = 0x85ebca6b | 0
      for (let c = 0; c < words.length; c++) {
        const column = words[c]!
        const width = widths[c]!
        for (let at = row * width, end = at + width; at < end; at += 2) {
          const low = column[at]!
          const high = column[at + 1]!
          a = Math.imul(a ^ low, 0xcc9e2d51)
          a = (Math.imul((a << 15) | (a >>> 17), 5) + high) | 0
          b = Math.imul(b ^ high, 0x1b873593)
          b = (Math.imul((b << 13) | (b >>> 19), 5) + low) | 0
        }
      }
      first = (first + finish(a)) | 0
      second = (second + finish(b ^ (a >>> 16))) | 0
    }
    this.#first = first
    this.#second = second
    this.#rows += to - from
  }

  /** `<rows in hex>-<64 bits in hex>`. */
  get text(): string {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, '0')
    return `${this.#rows.toString(16)}-${hex(this.#first)}${hex(this.#second)}`
  }
}

function finish(word: number): number {
  let h = word ^ (word >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}
