import type { InspectFigures } from '../../domain/figures.js'
import { CLOSE_TIME, compareAt, integerAt, OPEN_TIME, type CandleRows, type Column } from '../../sources/candle-rows.js'

const OPEN = 1
const HIGH = 2
const LOW = 3
const CLOSE = 4
const VOLUME = 5

/** What bars say together, counted batch by batch in the order of the file. */
export class BarFigures {
  rows = 0
  minOpen = Infinity
  maxOpen = -Infinity
  #times = new Float64Array(1_024)
  #ordered = true
  #lastOpen = -Infinity
  #lastClose = -Infinity
  #overlappingRows = 0
  #closeBeforeOpenRows = 0
  #ohlcViolations = 0
  #zeroVolumeRows = 0

  add(rows: CandleRows): void {
    const { columns } = rows
    this.#reserve(this.rows + rows.count)
    for (let row = 0; row < rows.count; row++) {
      const open = integerAt(columns[OPEN_TIME]!, row)
      const close = integerAt(columns[CLOSE_TIME]!, row)
      if (open <= this.#lastOpen) this.#ordered = false
      if (open < this.#lastClose) this.#overlappingRows++
      if (close < open) this.#closeBeforeOpenRows++
      if (breaksOhlc(columns, row)) this.#ohlcViolations++
      if (isZero(columns[VOLUME]!, row)) this.#zeroVolumeRows++
      if (open < this.minOpen) this.minOpen = open
      if (open > this.maxOpen) this.maxOpen = open
      this.#times[this.rows++] = open
      this.#lastOpen = open
      this.#lastClose = close
    }
  }

  figures(): Pick<
    InspectFigures,
    | 'rows'
    | 'firstOpenUs'
    | 'lastOpenUs'
    | 'lastCloseUs'
    | 'ordered'
    | 'overlappingRows'
    | 'closeBeforeOpenRows'
    | 'ohlcViolations'
    | 'zeroVolumeRows'
  > {
    return {
      rows: this.rows,
      firstOpenUs: BigInt(this.minOpen),
      lastOpenUs: BigInt(this.maxOpen),
      lastCloseUs: BigInt(this.#lastClose),
      ordered: this.#ordered,
      overlappingRows: this.#overlappingRows,
      closeBeforeOpenRows: this.#closeBeforeOpenRows,
      ohlcViolations: this.#ohlcViolations,
      zeroVolumeRows: this.#zeroVolumeRows,
    }
  }

  /** Open times, microseconds since 1970, in rising order whatever the file's. */
  sortedTimes(): Float64Array {
    const times = this.#times.subarray(0, this.rows)
    return this.#ordered ? times : times.slice().sort()
  }

  #reserve(count: number): void {
    if (count <= this.#times.length) return
    const times = new Float64Array(Math.max(count, this.#times.length * 2))
    times.set(this.#times)
    this.#times = times
  }
}

/** Whether the high is below, or the low above, any other price of the bar. */
function breaksOhlc(columns: readonly Column[], row: number): boolean {
  const [high, low] = [columns[HIGH]!, columns[LOW]!]
  return (
    compareAt(high, columns[OPEN]!, row) < 0 ||
    compareAt(high, columns[CLOSE]!, row) < 0 ||
    compareAt(low, columns[OPEN]!, row) > 0 ||
    compareAt(low, columns[CLOSE]!, row) > 0 ||
    compareAt(high, low, row) < 0
  )
}

function isZero({ words, width }: Column, row: number): boolean {
  for (let word = row * width; word < (row + 1) * width; word++) if (words[word] !== 0) return false
  return true
}
