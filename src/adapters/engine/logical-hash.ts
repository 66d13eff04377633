import type { CandleRows } from '../../sources/candle-rows.js'

const BLOCK_ROWS = 4_096
/** The two lanes of each row of a block; nothing is kept in them from one block to the next. */
const LANES = { first: new Int32Array(BLOCK_ROWS), second: new Int32Array(BLOCK_ROWS) }

/**
 * An order-independent hash of all values of all rows, by 32-bit arithmetic of our own: DuckDB does not promise that
 * its `hash()` stays the same from version to version, and this one is stored in certificates. Two lanes a row, each
 * with a finaliser, are added up, so that rows may come in any order and any number of batches.
 */
export class LogicalHash {
  #rows = 0
  #first = 0
  #second = 0

  /** Takes in rows `[from, to)`, some thousand at a time: column by column within them is twice as fast as row by row. */
  add(rows: CandleRows, from = 0, to = rows.count): void {
    for (let at = from; at < to; at += BLOCK_ROWS) this.#addBlock(rows, at, Math.min(BLOCK_ROWS, to - at))
    this.#rows += to - from
  }

  #addBlock(rows: CandleRows, from: number, count: number): void {
    const { first, second } = LANES
    first.fill(0x9e3779b9 | 0, 0, count)
    second.fill(0x85ebca6b | 0, 0, count)
    for (const { words, width } of rows.columns) {
      for (let part = 0; part < width; part += 2) mix(words, from * width + part, width, count)
    }
    for (let row = 0; row < count; row++) {
      const a = first[row]!
      this.#first = (this.#first + finish(a)) | 0
      this.#second = (this.#second + finish(second[row]! ^ (a >>> 16))) | 0
    }
  }

  /** `<rows in hex>-<64 bits in hex>`. */
  get text(): string {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, '0')
    return `${this.#rows.toString(16)}-${hex(this.#first)}${hex(this.#second)}`
  }
}

/** Mixes two neighbouring words of each row into its lanes. */
function mix(words: Uint32Array, start: number, width: number, count: number): void {
  const { first, second } = LANES
  for (let row = 0, at = start; row < count; row++, at += width) {
    const low = words[at]!
    const high = words[at + 1]!
    const a = Math.imul(first[row]! ^ low, 0xcc9e2d51)
    const b = Math.imul(second[row]! ^ high, 0x1b873593)
    first[row] = Math.imul((a << 15) | (a >>> 17), 5) + high
    second[row] = Math.imul((b << 13) | (b >>> 19), 5) + low
  }
}

function finish(word: number): number {
  let h = word ^ (word >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}
