import { integerAt, OPEN_TIME, sameRow, type CandleRows } from './candle-rows.js'
import { corrupt, type FindingsLog } from './findings-log.js'

/**
 * Puts rows in order of open_time, in place, and drops repetitions of a row. Returns how many were dropped.
 * Rows that come in order cost one pass over open_time.
 * @throws {CORRUPT} CONFLICTING_ROWS where two rows of one open_time differ
 */
export function putInOrder(rows: CandleRows, log: FindingsLog, source: string): number {
  const times = openTimes(rows)
  const late = countLate(times)
  if (late === 0 && isStrict(times)) return 0
  const order = Uint32Array.from(times.keys())
  if (late > 0) {
    order.sort((a, b) => times[a]! - times[b]! || a - b)
    log.add('ROWS_OUT_OF_ORDER', () => `${iso(firstLate(times))} follows a later row`, late)
  }
  const kept = withoutRepetitions(rows, times, order, source)
  const dropped = order.length - kept.length
  if (dropped > 0) log.add('DUPLICATE_ROWS', () => `${dropped} of ${order.length} rows`, dropped)
  take(rows, kept)
  return dropped
}

/** The open times of all rows, microseconds since 1970. */
export function openTimes(rows: CandleRows): Float64Array {
  const column = rows.columns[OPEN_TIME]!
  const times = new Float64Array(rows.count)
  for (let row = 0; row < rows.count; row++) times[row] = integerAt(column, row)
  return times
}

/** Rows that open before an earlier row does. */
function countLate(times: Float64Array): number {
  let late = 0
  let latest = -Infinity
  for (const time of times) {
    if (time < latest) late++
    else latest = time
  }
  return late
}

function firstLate(times: Float64Array): number {
  return times.find((time, row) => row > 0 && time < times[row - 1]!) ?? 0
}

function isStrict(times: Float64Array): boolean {
  for (let row = 1; row < times.length; row++) if (times[row]! <= times[row - 1]!) return false
  return true
}

function withoutRepetitions(rows: CandleRows, times: Float64Array, order: Uint32Array, source: string): Uint32Array {
  let last = order[0]!
  let kept = 1
  for (let at = 1; at < order.length; at++) {
    const row = order[at]!
    if (times[row] !== times[last]) {
      last = row
      order[kept++] = row
    } else if (!sameRow(rows, row, last)) {
      throw corrupt('CONFLICTING_ROWS', `${iso(times[row]!)} has two rows that differ`, { source, row: row + 1 })
    }
  }
  return order.slice(0, kept)
}

function take(rows: CandleRows, kept: Uint32Array): void {
  for (const column of rows.columns) {
    const words = new Uint32Array(kept.length * column.width)
    for (let to = 0; to < kept.length; to++) {
      const from = kept[to]! * column.width
      words.set(column.words.subarray(from, from + column.width), to * column.width)
    }
    column.words = words
    column.doubles = new Float64Array(words.buffer)
  }
  rows.count = kept.length
  rows.capacity = kept.length
}

const iso = (us: number): string => new Date(us / 1_000).toISOString()
