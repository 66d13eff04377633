import type { Difference } from '../domain/compare-rows.js'
import { PipelineError, type ErrorCode } from '../domain/errors.js'
import { DIFFERENCES_MAX } from '../domain/migration.js'
import { dayStartUs, monthOfUs, US_PER_DAY } from '../domain/month.js'
import { partitionKeyOf, type Series } from '../domain/partition.js'
import type { Held } from '../domain/ports/hot-store.js'
import { sliceOf, type Slice } from '../domain/slice.js'
import { compareDays, isPast, release, retentionLimitUs, type Compared, type RetentionPorts } from './retention.js'

/**
 * Why rows of a series stay: `late` no verified month of it yet, `differs` the month lacks rows or has others,
 * `unreadable` its object is gone or damaged, `changed` they changed since they were compared, `busy` somebody read or
 * wrote the day for long.
 */
export type Kept = {
  readonly series: Series
  readonly rows: number
  readonly why: 'late' | 'differs' | 'unreadable' | 'changed' | 'busy'
  /** Values of rows that the month lacks or has otherwise, and the first of them, at most `DIFFERENCES_MAX`. */
  readonly differing: number
  readonly differences: readonly Difference[]
}

type Differing = Pick<Kept, 'differing' | 'differences'>

/** Codes of an object that is gone or damaged; whatever else fails concerns every month. */
const UNREADABLE: ReadonlySet<ErrorCode> = new Set(['OBJECT_ABSENT', 'OBJECT_CORRUPT'])

const NONE: Differing = { differing: 0, differences: [] }

const firstOf = (all: readonly Difference[]): Differing =>
  ({ differing: all.length, differences: all.slice(0, DIFFERENCES_MAX) })

/** What became of a UTC day: rows that left hot, or would, and the series that stay. */
export type PrunedDay = {
  readonly day: string
  readonly series: number
  readonly rows: number
  readonly kept: readonly Kept[]
}

export type PruneOptions = RetentionPorts & {
  /** Days that ended so many days before `now` or earlier. */
  readonly hotDays: number
  readonly now: Date
  readonly dryRun: boolean
  readonly signal: AbortSignal
}

/**
 * Retention: each day past it, oldest first, loses the rows that a verified month holds, value by value in the lake's
 * type. Rows of bars that never closed go with them. A day that the signal interrupts stays whole.
 */
export async function* pruneHot(o: PruneOptions): AsyncGenerator<PrunedDay> {
  const limitUs = retentionLimitUs(o.now, o.hotDays)
  const compare = comparing(o)
  for (const day of await o.hot.partitions()) {
    if (!isPast(day, limitUs)) continue
    const [held, kept]: [Held[], Kept[]] = [[], []]
    for (const { series, rows } of await o.hot.seriesOf(day)) {
      if (o.signal.aborted) return
      const is = await compare(sliceOf(series, dayStartUs(day), dayStartUs(day) + US_PER_DAY))
      if (is === 'unreadable') kept.push({ series, rows, why: is, ...NONE })
      else if (is === null) kept.push({ series, rows, why: 'late', ...NONE })
      else if (is.differences.length > 0) kept.push({ series, rows, why: 'differs', ...firstOf(is.differences) })
      else held.push(...is.held)
    }
    const removed = o.dryRun ? held : await release(o.hot, day, held)
    const left = held.filter((one) => !(removed ?? []).includes(one))
    for (const { series, rows } of left) kept.push({ series, rows, why: removed ? 'changed' : 'busy', ...NONE })
    const rows = (removed ?? []).reduce((sum, one) => sum + one.rows, 0)
    yield { day, series: removed?.length ?? 0, rows, kept }
  }
}

/** A month that cannot be read keeps no other one; it is tried once, and not for each of its days. */
function comparing(o: RetentionPorts): (day: Slice) => Promise<Compared | null | 'unreadable'> {
  const unreadable = new Set<string>()
  return async (day) => {
    const key = partitionKeyOf({ ...day, month: monthOfUs(day.fromUs) })
    if (unreadable.has(key)) return 'unreadable'
    try {
      return await compareDays(o, day)
    } catch (thrown) {
      if (!(thrown instanceof PipelineError) || !UNREADABLE.has(thrown.code)) throw thrown
      unreadable.add(key)
      return 'unreadable'
    }
  }
}
