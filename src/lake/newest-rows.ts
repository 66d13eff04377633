import { gridOf } from '../domain/interval.js'
import { monthRange } from '../domain/month.js'
import type { Partition } from '../domain/partition.js'
import { sliceOf } from '../domain/slice.js'
import type { Candle } from './candle.js'
import type { Lake } from './lake.js'

/** How much further back the next look begins, where a month ends in a gap or in bars that are missing. */
const WIDER = 8n

/**
 * The newest rows of a partition, at most `limit`, the newest last: its end is read, and more of it where that holds too
 * few. A month of 1s has 2.7 million rows; as objects they take 5 s and 1 GB.
 */
export async function newestRows<N>(lake: Lake<N>, p: Partition, limit: number): Promise<Candle<N>[]> {
  const { fromUs, toUs } = monthRange(p.month)
  const { stepUs } = gridOf(p.interval)
  for (let spanUs = BigInt(limit) * (stepUs ?? toUs - fromUs); ; spanUs *= WIDER) {
    const beginUs = toUs - spanUs > fromUs ? toUs - spanUs : fromUs
    const rows = await lake.read(sliceOf(p, beginUs, toUs)).rows()
    if (rows.length >= limit || beginUs === fromUs) return rows.slice(-limit)
  }
}
