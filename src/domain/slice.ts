import { PipelineError } from './errors.js'
import { monthOfUs, monthsFromTo, type Month, type TimeRange } from './month.js'
import { seriesKeyOf, type Partition, type Series } from './partition.js'
import { parseRange } from './range.js'

/** A series in a half-open UTC range of open times, microseconds since 1970: `[fromUs, toUs)`. */
export type Slice = Series & TimeRange

/**
 * A slice by the words of `--from` and `--to`: months are whole, both ends in; instants are UTC, the end left out.
 * @throws {BAD_RANGE}
 */
export function slice(series: Series, from: string, to: string): Slice {
  const { fromUs, toUs } = parseRange({ from, to })
  return sliceOf(series, fromUs ?? 0n, toUs ?? 0n)
}

/** @throws {BAD_RANGE} for a range that holds nothing */
export function sliceOf({ dataset, symbol, interval }: Series, fromUs: bigint, toUs: bigint): Slice {
  if (fromUs < toUs) return { dataset, symbol, interval, fromUs, toUs }
  throw new PipelineError('BAD_RANGE', `nothing lies from ${fromUs} to ${toUs}`, {
    at: seriesKeyOf({ dataset, symbol, interval }),
    do: 'put the earlier end first; the later one is left out',
  })
}

/** The partitions that a slice touches, in the order of their months. */
export const partitionsOf = ({ dataset, symbol, interval, fromUs, toUs }: Slice): Partition[] =>
  [...monthsOf({ fromUs, toUs })].map((month) => ({ dataset, symbol, interval, month }))

/** The months that a range touches. */
export const monthsOf = ({ fromUs, toUs }: TimeRange): Iterable<Month> =>
  monthsFromTo(monthOfUs(fromUs), monthOfUs(toUs - 1n))
