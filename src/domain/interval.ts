import { clip } from './dataset.js'
import { PipelineError } from './errors.js'
import { addMonths, monthOfUs, monthStartUs, US_PER_DAY, type TimeRange } from './month.js'

const SECOND = 1_000_000n
const MINUTE = 60n * SECOND
const HOUR = 60n * MINUTE

/**
 * Each interval's grid: a fixed step from an anchor (microseconds since 1970), or the calendar month. A week opens on
 * Monday 00:00 UTC: 1970-01-05 was one. Three-day bars are counted from 1970-01-02: real BTCUSDT files begin on
 * 2017-08-17 and hold a bar of 2026-07-01. Whether every symbol shares this phase is not known; where all bars of a
 * month agree on another one, inspect takes that for the grid.
 */
const GRIDS = {
  '1s': { stepUs: SECOND, anchorUs: 0n },
  '1m': { stepUs: MINUTE, anchorUs: 0n },
  '3m': { stepUs: 3n * MINUTE, anchorUs: 0n },
  '5m': { stepUs: 5n * MINUTE, anchorUs: 0n },
  '15m': { stepUs: 15n * MINUTE, anchorUs: 0n },
  '30m': { stepUs: 30n * MINUTE, anchorUs: 0n },
  '1h': { stepUs: HOUR, anchorUs: 0n },
  '2h': { stepUs: 2n * HOUR, anchorUs: 0n },
  '4h': { stepUs: 4n * HOUR, anchorUs: 0n },
  '6h': { stepUs: 6n * HOUR, anchorUs: 0n },
  '8h': { stepUs: 8n * HOUR, anchorUs: 0n },
  '12h': { stepUs: 12n * HOUR, anchorUs: 0n },
  '1d': { stepUs: US_PER_DAY, anchorUs: 0n },
  '3d': { stepUs: 3n * US_PER_DAY, anchorUs: US_PER_DAY },
  '1w': { stepUs: 7n * US_PER_DAY, anchorUs: 4n * US_PER_DAY },
  '1mo': { stepUs: null, anchorUs: 0n },
} as const satisfies Record<string, { stepUs: bigint | null; anchorUs: bigint }>

/** A candle interval as the archive spells it; the REST API writes the month `1M`. */
export type Interval = keyof typeof GRIDS

export const INTERVALS = Object.keys(GRIDS) as readonly Interval[]

/** @throws {BAD_INTERVAL} */
export function parseInterval(text: string): Interval {
  if (Object.hasOwn(GRIDS, text)) return text as Interval
  throw new PipelineError('BAD_INTERVAL', `"${clip(text)}" is not an interval`, { do: `use ${INTERVALS.join(', ')}` })
}

/** An interval's grid, or one of the same step that is counted from another instant, microseconds since 1970. */
export type Grid = Interval | { readonly interval: Interval; readonly anchorUs: bigint }

/** The step of a grid in microseconds, null for the calendar month, and the anchor it is counted from. */
export const gridOf = (grid: Grid): { readonly stepUs: bigint | null; readonly anchorUs: bigint } =>
  typeof grid === 'string' ? GRIDS[grid] : { stepUs: GRIDS[grid.interval].stepUs, anchorUs: grid.anchorUs }

/**
 * The grid that a month's bars lie on, as inspect chose it: with no bar off it, three-day bars are counted from their
 * first.
 */
export const gridOfBars = (interval: Interval, firstOpenUs: bigint, offGridRows: number): Grid =>
  interval === '3d' && offGridRows === 0 ? { interval, anchorUs: firstOpenUs } : interval

/** The latest grid point at or before `us`. */
export function floorToGrid(grid: Grid, us: bigint): bigint {
  const { stepUs, anchorUs } = gridOf(grid)
  if (stepUs === null) return monthStartUs(monthOfUs(us))
  const over = (((us - anchorUs) % stepUs) + stepUs) % stepUs
  return us - over
}

/** The grid point after `us`, which must be on the grid. */
export function nextOnGrid(grid: Grid, us: bigint): bigint {
  const { stepUs } = gridOf(grid)
  return stepUs === null ? monthStartUs(addMonths(monthOfUs(us), 1)) : us + stepUs
}

/** The grid points in `[fromUs, toUs)`: the first one, and how many there are. */
export function gridPointsIn(grid: Grid, range: TimeRange): { readonly firstUs: bigint; readonly count: number } {
  const floor = floorToGrid(grid, range.fromUs)
  const firstUs = floor === range.fromUs ? floor : nextOnGrid(grid, floor)
  if (firstUs >= range.toUs) return { firstUs, count: 0 }
  const { stepUs } = gridOf(grid)
  if (stepUs !== null) return { firstUs, count: Number((range.toUs - firstUs + stepUs - 1n) / stepUs) }
  let count = 0
  for (let at = firstUs; at < range.toUs; at = nextOnGrid(grid, at)) count++
  return { firstUs, count }
}
