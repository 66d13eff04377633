import type { CandleColumnName } from './candle.js'
import type { Dataset } from './dataset.js'
import type { Interval } from './interval.js'
import { monthOfUs, monthStartUs } from './month.js'
import type { ObjectKey } from './names.js'
import type { Partition } from './partition.js'
import type { OpenRange } from './range.js'
import type { Slice } from './slice.js'

/** A published data object: exactly these bytes, as long as the store's ETag is this one. */
export type LakeObject = {
  readonly partition: Partition
  readonly key: ObjectKey
  readonly etag: string
  readonly bytes: number
}

/** What a query reads of one dataset. Null symbols, intervals or columns are all of them; a null end is open. */
export type Scan = {
  readonly dataset: Dataset
  readonly symbols: readonly string[] | null
  readonly intervals: readonly Interval[] | null
  readonly range: OpenRange
  readonly columns: readonly CandleColumnName[] | null
}

/** The objects that a scan has to look into, in the order of symbol, interval and month, and how many it need not. */
export type QueryPlan = { readonly objects: readonly LakeObject[]; readonly bytes: number; readonly pruned: number }

export const EVERYTHING: OpenRange = { fromUs: null, toUs: null }

export const scanOf = (at: Slice, columns: Scan['columns'] = null): Scan => ({
  dataset: at.dataset,
  symbols: [at.symbol],
  intervals: [at.interval],
  range: { fromUs: at.fromUs, toUs: at.toUs },
  columns,
})

/** First and last month that a range touches; null where that end is open. */
export function monthBounds({ fromUs, toUs }: OpenRange): {
  readonly first: string | null
  readonly last: string | null
} {
  return {
    first: fromUs === null ? null : monthOfUs(clamp(fromUs)),
    last: toUs === null ? null : monthOfUs(clamp(toUs) - 1n),
  }
}

const [FIRST_US, LAST_US] = [monthStartUs('1970-01') + 1n, monthStartUs('2099-12')]

/** Instants of any SQL fit into the months that a lake can have. */
const clamp = (us: bigint): bigint => (us < FIRST_US ? FIRST_US : us > LAST_US ? LAST_US : us)

/** Whether a partition may hold a row that the scan wants: by its name alone. */
export function mayHold(scan: Scan, p: Partition): boolean {
  const { first, last } = monthBounds(scan.range)
  return (
    p.dataset === scan.dataset &&
    (scan.symbols === null || scan.symbols.includes(p.symbol)) &&
    (scan.intervals === null || scan.intervals.includes(p.interval)) &&
    (first === null || p.month >= first) &&
    (last === null || p.month <= last)
  )
}

/** An exact list of objects: what a catalog or a listing knows, without those that cannot hold a wanted row. */
export function planQuery(known: readonly LakeObject[], scan: Scan): QueryPlan {
  const objects = known.filter(({ partition }) => mayHold(scan, partition)).sort(inOrder)
  return {
    objects,
    bytes: objects.reduce((sum, { bytes }) => sum + bytes, 0),
    pruned: known.length - objects.length,
  }
}

const inOrder = (a: LakeObject, b: LakeObject): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)

/** The objects that any of several scans of a dataset has to look into. */
export function planScans(known: readonly LakeObject[], scans: readonly Scan[]): QueryPlan {
  const plans = scans.map((scan) => planQuery(known, scan))
  const objects = [
    ...new Map(plans.flatMap((plan) => plan.objects.map((object) => [object.key, object] as const))).values(),
  ].sort(inOrder)
  return {
    objects,
    bytes: objects.reduce((sum, { bytes }) => sum + bytes, 0),
    pruned: known.length - objects.length,
  }
}

/** One scan that reads whatever either of two scans of a dataset reads. */
export function unionOf(a: Scan, b: Scan): Scan {
  return {
    dataset: a.dataset,
    symbols: a.symbols && b.symbols && [...new Set([...a.symbols, ...b.symbols])],
    intervals: a.intervals && b.intervals && [...new Set([...a.intervals, ...b.intervals])],
    range: rangeOver(a.range, b.range),
    columns: a.columns && b.columns && [...new Set([...a.columns, ...b.columns])],
  }
}

/** The range from the earlier of two beginnings to the later of two ends. */
export const rangeOver = (a: OpenRange, b: OpenRange): OpenRange => ({
  fromUs: a.fromUs === null || b.fromUs === null ? null : least(a.fromUs, b.fromUs),
  toUs: a.toUs === null || b.toUs === null ? null : -least(-a.toUs, -b.toUs),
})

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)
