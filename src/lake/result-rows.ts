import type { Frame, ResultColumn } from '../domain/ports/query-engine.js'

/**
 * The rows of a frame as objects. Instants are bigint; other integers are numbers as far as a number holds them, bigint
 * beyond; decimals are text; a missing value is null.
 */
export function rowsOf(columns: readonly ResultColumn[], frame: Frame): Record<string, unknown>[] {
  const rows: Record<string, unknown>[] = Array.from({ length: frame.rows }, () => ({}))
  for (const [i, { name, kind }] of columns.entries()) {
    const values = frame.values[i]!
    const nulls = frame.nulls[i]
    if (nulls) {
      for (let row = 0; row < frame.rows; row++) rows[row]![name] = nulls[row] === 1 ? null : shown(values[row], kind)
    } else if (kind === 'bigint' || kind === 'boolean') {
      for (let row = 0; row < frame.rows; row++) rows[row]![name] = shown(values[row], kind)
    } else {
      for (let row = 0; row < frame.rows; row++) rows[row]![name] = values[row]
    }
  }
  return rows
}

function shown(value: unknown, kind: ResultColumn['kind']): unknown {
  if (kind === 'boolean') return value === 1
  if (kind !== 'bigint' || typeof value !== 'bigint') return value
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** All frames of one column as one array, of the frames' own type; missing values make it a plain array with null. */
export function columnOf(kind: ResultColumn['kind'], index: number, frames: readonly Frame[]): ArrayLike<unknown> {
  const rows = frames.reduce((sum, frame) => sum + frame.rows, 0)
  const first = frames[0]?.values[index]
  const typed = ArrayBuffer.isView(first) && kind !== 'boolean' && frames.every((frame) => !frame.nulls[index])
  if (!typed) {
    return frames.flatMap(({ values, nulls }) =>
      Array.from(values[index]!, (value: unknown, row) =>
        nulls[index]?.[row] === 1 ? null : kind === 'boolean' ? value === 1 : value,
      ),
    )
  }
  const all = new (first.constructor as new (rows: number) => Float64Array)(rows)
  let at = 0
  for (const { values } of frames) {
    all.set(values[index] as Float64Array, at)
    at += (values[index] as Float64Array).length
  }
  return all
}
