import { HOLES_MAX, type Hole } from '../../domain/figures.js'
import { floorToGrid, gridOf, nextOnGrid, type Interval } from '../../domain/interval.js'

export type GridFigures = {
  readonly holes: readonly Hole[]
  readonly holesTotal: number
  readonly offGridRows: number
}

/**
 * How bars lie on their interval's grid. `times` are open times in rising order, microseconds since 1970. A hole is a run
 * of grid points after the first bar and before the last one at which no bar opens.
 */
export function gridFigures(interval: Interval, times: Float64Array): GridFigures {
  const { stepUs } = gridOf(interval)
  const grid = stepUs === null ? calendarGrid(interval) : stepGrid(Number(stepUs), anchorOf(interval, times))
  const holes: Hole[] = []
  let holesTotal = 0
  let offGridRows = 0
  const last = times[times.length - 1] ?? 0
  const first = times[0] ?? 0
  let expected = grid.isOn(first) ? first : grid.after(first)
  const lack = (toUs: number) => {
    if (expected >= toUs) return
    holesTotal++
    if (holes.length < HOLES_MAX) {
      holes.push({ fromUs: BigInt(expected), toUs: BigInt(toUs), missing: grid.count(expected, toUs) })
    }
  }
  for (const time of times) {
    if (!grid.isOn(time)) offGridRows++
    else if (time >= expected) {
      lack(time)
      expected = grid.after(time)
    }
  }
  if (!grid.isOn(last)) lack(grid.after(last))
  return { holes, holesTotal, offGridRows }
}

/** A grid of instants; `after` is the first point later than any instant, `count` the points in `[from, to)`. */
type Grid = {
  readonly isOn: (us: number) => boolean
  readonly after: (us: number) => number
  readonly count: (fromUs: number, toUs: number) => number
}

function stepGrid(step: number, anchor: number): Grid {
  const over = (us: number) => (((us - anchor) % step) + step) % step
  return {
    isOn: (us) => over(us) === 0,
    after: (us) => us - over(us) + step,
    count: (fromUs, toUs) => Math.round((toUs - fromUs) / step),
  }
}

function calendarGrid(interval: Interval): Grid {
  const floor = (us: number) => Number(floorToGrid(interval, BigInt(us)))
  const after = (us: number) => Number(nextOnGrid(interval, BigInt(floor(us))))
  const count = (fromUs: number, toUs: number): number => (fromUs >= toUs ? 0 : 1 + count(after(fromUs), toUs))
  return { isOn: (us) => floor(us) === us, after, count }
}

/** Nothing says where three-day bars are counted from: where all of a month agree on a phase, that is the grid. */
function anchorOf(interval: Interval, times: Float64Array): number {
  const { stepUs, anchorUs } = gridOf(interval)
  const [first] = times
  if (interval !== '3d' || stepUs === null || first === undefined) return Number(anchorUs)
  const isDay = first % 86_400_000_000 === 0
  return isDay && times.every((time) => (time - first) % Number(stepUs) === 0) ? first : Number(anchorUs)
}
