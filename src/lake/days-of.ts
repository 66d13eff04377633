import { dayOfUs, dayStartUs, US_PER_DAY, type Day } from '../domain/month.js'
import type { Partition } from '../domain/partition.js'
import type { Lake } from './lake.js'

/** The UTC days on which a partition has rows, oldest first. Rows lie in time order, so each day is written once. */
export async function daysOf<N>(lake: Lake<N>, p: Partition): Promise<Day[]> {
  const { openTimeUs } = await lake.read(p, ['openTimeUs']).columns()
  const days: Day[] = []
  let endUs: bigint | null = null
  for (const us of openTimeUs as ArrayLike<bigint> & Iterable<bigint>) {
    if (endUs !== null && us < endUs) continue
    const day = dayOfUs(us)
    days.push(day)
    endUs = dayStartUs(day) + US_PER_DAY
  }
  return days
}
