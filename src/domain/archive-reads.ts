import { gridOf } from './interval.js'
import { dayOfUs, monthRange, US_PER_DAY, type Month, type TimeRange } from './month.js'
import type { Partition } from './partition.js'
import { partitionsOf, type Slice } from './slice.js'
import type { WantedSource } from './source.js'

/** What is read for one partition: its archive files in order, and which open times are wanted of them. */
export type ArchiveRead = {
  readonly partition: Partition
  readonly sources: readonly WantedSource[]
  readonly range: TimeRange
}

type MonthlyFiles = ReadonlyMap<Month, WantedSource>
/** By day, `2024-01-05`. */
type DailyFiles = ReadonlyMap<string, WantedSource>

/** A month that is wanted in part is looked up day by day up to this many days: beyond, its ZIP is the smaller one. */
const FEW_DAYS = 7

/** The days, `2024-01-05`, whose daily ZIPs could serve a slice: of months without a ZIP, and where few are wanted. */
export function daysToLookUp(at: Slice, monthly: MonthlyFiles): string[] {
  const { stepUs } = gridOf(at.interval)
  // The archive has no daily files of longer bars.
  if (stepUs === null || stepUs > US_PER_DAY) return []
  return partitionsOf(at).flatMap(({ month }) => {
    const days = daysOf(wantedOf(at, month))
    return !monthly.has(month) || (!isWhole(at, month) && days.length <= FEW_DAYS) ? days : []
  })
}

/**
 * Which files serve a slice: each month's ZIP; its dailies where it is missing, as many as there are; and for a few
 * days of a month their dailies, where all are there and smaller than the month. Months without any file are left out.
 */
export function planReads(at: Slice, monthly: MonthlyFiles, daily: DailyFiles): ArchiveRead[] {
  return partitionsOf(at).flatMap((partition) => {
    const range = wantedOf(at, partition.month)
    const days = daysOf(range)
    const dailies = days.flatMap((day) => daily.get(day) ?? [])
    const month = monthly.get(partition.month)
    const byDay = !month || (dailies.length === days.length && bytesOf(dailies) < bytesOf([month]))
    const sources = byDay ? dailies : [month]
    return sources.length === 0 ? [] : [{ partition, sources, range }]
  })
}

/** Sizes that the listing does not tell count as nothing. */
export const bytesOf = (sources: readonly WantedSource[]): number =>
  sources.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0)

function wantedOf(at: TimeRange, month: Month): TimeRange {
  const { fromUs, toUs } = monthRange(month)
  return { fromUs: at.fromUs > fromUs ? at.fromUs : fromUs, toUs: at.toUs < toUs ? at.toUs : toUs }
}

function isWhole(at: TimeRange, month: Month): boolean {
  const { fromUs, toUs } = monthRange(month)
  return at.fromUs <= fromUs && at.toUs >= toUs
}

function daysOf({ fromUs, toUs }: TimeRange): string[] {
  const days: string[] = []
  for (let us = fromUs - (fromUs % US_PER_DAY); us < toUs; us += US_PER_DAY) {
    days.push(dayOfUs(us))
  }
  return days
}
