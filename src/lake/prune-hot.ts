import type { NumericType } from '../domain/candle.js'
import { differencesOf, type Difference } from '../domain/compare-rows.js'
import { PipelineError } from '../domain/errors.js'
import { US_PER_DAY } from '../domain/month.js'
import type { Series } from '../domain/partition.js'
import type { Held, HotStore } from '../domain/ports/hot-store.js'
import { sliceOf } from '../domain/slice.js'
import { candleReader } from './hot-repository.js'
import type { Lake } from './lake.js'
import { askedAgain, onlyMonths } from './warm-months.js'

/**
 * Why rows of a series stay: `late` no verified month of it yet, `differs` the month lacks rows or has others,
 * `changed` they changed since they were compared, `busy` somebody read or wrote the day for long.
 */
export type Kept = {
  readonly series: Series
  readonly rows: number
  readonly why: 'late' | 'differs' | 'changed' | 'busy'
  readonly differences: readonly Difference[]
}

/** What became of a UTC day: rows that left hot, or would, and the series that stay. */
export type PrunedDay = {
  readonly day: string
  readonly series: number
  readonly rows: number
  readonly kept: readonly Kept[]
}

export type PruneOptions = {
  readonly hot: HotStore
  readonly lake: Lake<unknown>
  readonly numericType: NumericType
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
  const limitUs = BigInt(o.now.getTime()) * 1_000n - BigInt(o.hotDays) * US_PER_DAY
  for (const day of await o.hot.partitions()) {
    if (startUs(day) + US_PER_DAY > limitUs) continue
    const [held, kept]: [Held[], Kept[]] = [[], []]
    for (const { series, rows } of await o.hot.seriesOf(day)) {
      if (o.signal.aborted) return
      const is = await askedAgain(() => compare(o, series, day))
      if ('etag' in is) held.push(is)
      else kept.push({ series, rows, ...is })
    }
    const removed = o.dryRun ? held : await remove(o.hot, day, held)
    const left = held.filter((one) => !(removed ?? []).includes(one))
    for (const { series, rows } of left) kept.push({ series, rows, why: removed ? 'changed' : 'busy', differences: [] })
    const rows = (removed ?? []).reduce((sum, one) => sum + one.rows, 0)
    yield { day, series: removed?.length ?? 0, rows, kept }
  }
}

const startUs = (day: string): bigint => BigInt(Date.parse(`${day}T00:00:00Z`)) * 1_000n

async function remove(hot: HotStore, day: string, held: readonly Held[]): Promise<readonly Held[] | null> {
  try {
    return await hot.remove(day, held)
  } catch (thrown) {
    if (thrown instanceof PipelineError && thrown.code === 'LEASE_HELD') return null
    throw thrown
  }
}

/** Rows and digest are of one snapshot: what is removed later is what was compared here. */
async function compare(
  { hot, lake, numericType }: PruneOptions, series: Series, day: string,
): Promise<Held | Pick<Kept, 'why' | 'differences'>> {
  const at = sliceOf(series, startUs(day), startUs(day) + US_PER_DAY)
  const seen = await hot.view(async (view) => {
    const [month] = await view.months(at)
    if (!month || month.provisional) return null
    return { month, contents: await view.contents(at), rows: await view.read(at) }
  })
  if (seen === null) return { why: 'late', differences: [] }
  const warm = await onlyMonths(lake, [seen.month]).read(at).rows()
  const differences = differencesOf(seen.rows.map(candleReader<unknown>(numericType)), warm)
  if (differences.length > 0) return { why: 'differs', differences }
  return { ...seen.contents, series, etag: seen.month.object.etag }
}
