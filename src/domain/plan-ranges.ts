import type { ColumnChunk, ParquetFooter, RowGroup } from './parquet-footer.js'
import type { OpenRange } from './range.js'

/** Bytes `[start, end)` of an object. */
export type ByteRange = { readonly start: number; readonly end: number }

/** What of a file is wanted: columns (null: all) of the rows whose `open_time` lies in the range. */
export type WantedPart = {
  readonly columns: readonly string[] | null
  readonly range: OpenRange
  /** Bytes that are wanted besides: Bloom filters lie outside of the columns. */
  readonly also?: readonly ByteRange[]
}

/** Which row groups hold wanted rows, and the bytes that a reader of these columns touches in them. */
export type RangePlan = {
  readonly groups: readonly number[]
  /** In order, apart by more than nothing. */
  readonly ranges: readonly ByteRange[]
  readonly bytes: number
}

const TIME = 'open_time'

/**
 * Whole column chunks only: a chunk begins with a page header, and no header begins with a zero byte. So whoever reads
 * a chunk that was not planned out of a file of holes gets an error, never zeros that look like values.
 */
export function planRanges(footer: ParquetFooter, { columns, range, also = [] }: WantedPart): RangePlan {
  // Statistics of other types are in other units.
  const timed = footer.columns.some(({ name, type }) => name === TIME && type === 'TIMESTAMPTZ')
  const groups = footer.rowGroups.flatMap((group, index) => (!timed || mayLieIn(group, range) ? [index] : []))
  const wanted = columns && new Set(columns)
  const chunks = groups.flatMap((index) =>
    (footer.rowGroups[index]?.chunks ?? []).filter(({ column }) => wanted === null || wanted.has(column)),
  )
  const ranges = mergeRanges([...chunks.map(({ start, end }) => ({ start, end })), ...also])
  return { groups, ranges, bytes: sizeOf(ranges) }
}

/** By the statistics of open_time; a group without them may hold anything. */
function mayLieIn({ chunks }: RowGroup, { fromUs, toUs }: OpenRange): boolean {
  const times = chunks.find(({ column }) => column === TIME)
  const [min, max] = [instant(times, 'min'), instant(times, 'max')]
  if (min === null || max === null) return true
  return (fromUs === null || max >= fromUs) && (toUs === null || min < toUs)
}

function instant(chunk: ColumnChunk | undefined, of: 'min' | 'max'): bigint | null {
  const bytes = chunk?.[of]
  if (bytes?.length !== 8) return null
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, true)
}

/** The same bytes in as few ranges as there can be, in order; ranges up to `gap` bytes apart become one. */
export function mergeRanges(ranges: readonly ByteRange[], gap = 0): ByteRange[] {
  const merged: { start: number; end: number }[] = []
  for (const { start, end } of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1)
    if (end <= start) continue
    if (last && start <= last.end + gap) last.end = Math.max(last.end, end)
    else merged.push({ start, end })
  }
  return merged
}

/** What of `wanted` is not in `present`; both in order and merged. */
export function missingRanges(wanted: readonly ByteRange[], present: readonly ByteRange[]): ByteRange[] {
  return wanted.flatMap(({ start, end }) => {
    const missing: ByteRange[] = []
    let at = start
    for (const have of present) {
      if (have.end <= at || have.start >= end) continue
      if (have.start > at) missing.push({ start: at, end: have.start })
      at = Math.max(at, have.end)
    }
    return at < end ? [...missing, { start: at, end }] : missing
  })
}

export const sizeOf = (ranges: readonly ByteRange[]): number =>
  ranges.reduce((sum, { start, end }) => sum + end - start, 0)
