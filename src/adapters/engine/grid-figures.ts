import { HOLES_MAX, type Hole } from '../../domain/figures.js'
import { floorToGrid, gridOf, nextOnGrid, type Interval } from '../../domain/interval.js'

export type GridFigures = {
  readonly holes: readonly Hole[]
  readonly holesTotal: number
  readonly missingRows: number
  readonly offGridRows: number
}

/**
 * How bars lie on their interval's grid. `times` are open times in rising order, microseconds since 1970. Each grid
 * point begins a slot; a hole is a run of slots, between the first and the last bar, in which no bar opens. A bar that
 * opens off the grid fills its slot: the 43 hourly bars of spot 2018-02 that open at xx:28:14.789 leave no hole.
 */
export function gridFigures(interval: Interval, times: Float64Array): GridFigures {
  const { stepUs } = gridOf(interval)
  const grid = stepUs === null ? calendarGrid(interval) : stepGrid(Number(stepUs), anchorOf(interval, times))
  const holes: Hole[] = []
  let [holesTotal, missingRows, offGridRows] = [0, 0, 0]
  let expected: number | null = null
  for (const time of times) {
    const slot = grid.floor(time)
    if (slot !== time) offGridRows++
    if (expected !== null && slot > expected) {
      const missing = grid.count(expected, slot)
      holesTotal++
      missingRows += missing
      if (holes.length < HOLES_MAX) holes.push({ fromUs: BigInt(expected), toUs: BigInt(slot), missing })
    }
    expected = grid.next(slot)
  }
  return { holes, holesTotal, missingRows, offGridRows }
}

/**
 * A grid of instants: `floor` begins the slot of any instant, `next` follows a grid point, `count` those in `[from,
 * to)`.
 */
type Grid = {
  readonly floor: (us: number) => number
  readonly next: (us: number) => number
  readonly count: (fromUs: number, toUs: number) => number
}

function stepGrid(step: number, anchor: number): Grid {
  const over = (us: number) => (((us - anchor) % step) + step) % step
  return {
    floor: (us) => us - over(us),
    next: (us) => us + step,
    count: (fromUs, toUs) => Math.round((toUs - fromUs) / step),
  }
}

function calendarGrid(interval: Interval): Grid {
  const floor = (us: number) => Number(floorToGrid(interval, BigInt(us)))
  const next = (us: number) => Number(nextOnGrid(interval, BigInt(us)))
  const count = (fromUs: number, toUs: number): number => (fromUs >= toUs ? 0 : 1 + count(next(fromUs), toUs))
  return { floor, next, count }
}

/** Nothing says where three-day bars are counted from: where all of a month agree on a phase, that is the grid. */
function anchorOf(interval: Interval, times: Float64Array): number {
  const { stepUs, anchorUs } = gridOf(interval)
  const [first] = times
  if (interval !== '3d' || stepUs === null || first === undefined) return Number(anchorUs)
  const isDay = first % 86_400_000_000 === 0
  return isDay && times.every((time) => (time - first) % Number(stepUs) === 0) ? first : Number(anchorUs)
}
