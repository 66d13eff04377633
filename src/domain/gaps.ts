import type { Gap, GapClass } from './certificate.js'
import { marketOf } from './dataset.js'
import type { Hole } from './figures.js'
import { floorToGrid, gridOf, gridPointsIn, nextOnGrid, type Grid } from './interval.js'
import { monthRange, US_PER_DAY, type TimeRange } from './month.js'
import { OUTAGES, type Outage } from './outages.js'
import type { Partition } from './partition.js'
import type { SeriesBounds } from './work.js'

/**
 * What gaps are judged by. `seriesOver`: the archive lists nothing later, and it should by now. `grid`: the bars' own.
 */
export type GapContext = { readonly bounds: SeriesBounds; readonly seriesOver: boolean; readonly grid: Grid }

/**
 * Every run of grid slots of the month in which no bar opens, with its reason: `inner` are the holes between the first
 * and the last bar, the ends of the month are added here. A hole that an outage explains in part is split.
 */
export function gapsOf(p: Partition, bars: TimeRange, inner: readonly Hole[], context: GapContext): readonly Gap[] {
  const month = monthRange(p.month)
  const { grid } = context
  const first = floorToGrid(grid, bars.fromUs)
  const last = floorToGrid(grid, bars.toUs)
  const lead = holeIn(grid, { fromUs: month.fromUs, toUs: first })
  const tail = holeIn(grid, { fromUs: nextOnGrid(grid, last), toUs: month.toUs })
  return [
    ...(lead ? explain(p, grid, lead, context.bounds?.firstMonth === p.month ? 'before_listing' : null) : []),
    ...inner.flatMap((hole) => explain(p, grid, hole, null)),
    ...(tail ? explain(p, grid, tail, tailClass(p, context)) : []),
  ]
}

const tailClass = (p: Partition, { bounds, seriesOver }: GapContext): GapClass | null =>
  bounds?.lastMonth === p.month && seriesOver ? 'after_delisting' : null

function holeIn(grid: Grid, range: TimeRange): Hole | null {
  const { firstUs, count } = gridPointsIn(grid, range)
  return count === 0 ? null : { fromUs: firstUs, toUs: range.toUs, missing: count }
}

function explain(p: Partition, grid: Grid, hole: Hole, known: GapClass | null): Gap[] {
  if (known) return [{ ...hole, class: known, calendar: null }]
  const gaps: Gap[] = []
  let from = hole.fromUs
  for (const outage of OUTAGES) {
    const part = slotsInside(p, grid, { fromUs: from, toUs: hole.toUs }, outage)
    if (!part) continue
    if (part.fromUs > from) gaps.push(unexplained(grid, { fromUs: from, toUs: part.fromUs }))
    gaps.push({ ...part, class: 'outage', calendar: outage.id })
    from = part.toUs
  }
  if (from < hole.toUs) gaps.push(unexplained(grid, { fromUs: from, toUs: hole.toUs }))
  return gaps
}

/** The slots of `range` that lie wholly inside the outage; null when there are none. */
function slotsInside(p: Partition, grid: Grid, range: TimeRange, outage: Outage): Hole | null {
  if (outage.market !== marketOf(p.dataset) || outage.toUs <= range.fromUs || outage.fromUs >= range.toUs) return null
  const fromUs = ceilToGrid(grid, outage.fromUs > range.fromUs ? outage.fromUs : range.fromUs)
  const toUs = floorToGrid(grid, outage.toUs < range.toUs ? outage.toUs : range.toUs)
  return toUs <= fromUs ? null : { fromUs, toUs, missing: gridPointsIn(grid, { fromUs, toUs }).count }
}

function ceilToGrid(grid: Grid, us: bigint): bigint {
  const floor = floorToGrid(grid, us)
  return floor === us ? us : nextOnGrid(grid, floor)
}

/**
 * A hole that spans a whole UTC day is the archive's: its monthly files have lost whole days while the dailies were
 * fine (um 2022-08-10..12, spot 2024-01), and the exchange was never down for a day since 2018-02.
 */
function unexplained(grid: Grid, range: TimeRange): Gap {
  const { stepUs } = gridOf(grid)
  const day = range.fromUs % US_PER_DAY === 0n ? range.fromUs : range.fromUs + US_PER_DAY - (range.fromUs % US_PER_DAY)
  const wholeDay = stepUs !== null && stepUs <= US_PER_DAY && day + US_PER_DAY <= range.toUs
  const { count: missing } = gridPointsIn(grid, range)
  return { ...range, missing, class: wholeDay ? 'archive_hole' : 'unknown', calendar: null }
}
