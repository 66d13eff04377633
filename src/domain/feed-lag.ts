import { nextOnGrid } from './interval.js'
import { seriesKeyOf, type Series } from './partition.js'

/**
 * How far hot rows are behind for series that are to be kept up to date. `behindSeconds` is the age of the oldest bar
 * that has closed and is after the newest row of its series, 0 where no series lacks one, null where none has rows.
 * `empty` are the series without rows, which count for nothing else.
 */
export type FeedLag = { readonly stored: number; readonly empty: number; readonly behindSeconds: number | null }

/** `newest` are open times, µs, by the series' keys. A bar that is missing before the newest row is no lag. */
export function feedLag(series: readonly Series[], newest: ReadonlyMap<string, bigint>, nowUs: bigint): FeedLag {
  const unique = [...new Map(series.map((one) => [seriesKeyOf(one), one])).values()]
  const behind = unique.flatMap((one) => {
    const openUs = newest.get(seriesKeyOf(one))
    if (openUs === undefined) return []
    const nextUs = nextOnGrid(one.interval, openUs)
    return [Math.max(0, Number(nowUs - nextOnGrid(one.interval, nextUs)) / 1_000_000)]
  })
  const { length: stored } = behind
  return { stored, empty: unique.length - stored, behindSeconds: stored === 0 ? null : Math.max(...behind) }
}
