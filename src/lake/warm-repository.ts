import { PipelineError } from '../domain/errors.js'
import { monthOfUs, monthRange, type Day } from '../domain/month.js'
import type { Partition, Series } from '../domain/partition.js'
import type { MarketDataRepository } from '../domain/ports/market-data-repository.js'
import { sliceOf, type Slice } from '../domain/slice.js'
import type { Candle } from './candle.js'
import { batchOf } from './candle-values.js'
import { daysOf } from './days-of.js'
import { checkLimit } from './hot-repository.js'
import type { Lake } from './lake.js'
import { newestRows } from './newest-rows.js'

/** Of a rewrite that lost to another one. */
const TRIES = 5

/**
 * Candles of a lake, row by row. Changing rows rewrites whole partitions, each under the condition that it is still the
 * one that was read: two writers never lose one another's rows.
 */
export function warmRepository<N>(lake: Lake<N>): MarketDataRepository<Candle<N>> {
  const rowsOf = async (at: Slice | Partition): Promise<Candle<N>[]> => await lake.read(at).rows()
  return {
    getByDateRange: (at) => rowsOf(at),
    getLatest: async (s, limit = 1) => {
      if (checkLimit(limit) === 0) return []
      let latest: Candle<N>[] = []
      for (const partition of (await partitionsOf(lake, s)).reverse()) {
        if (latest.length >= limit) break
        latest = [...(await newestRows(lake, partition, limit - latest.length)), ...latest]
      }
      return latest
    },
    save: async (s, rows) => {
      const given = new Map(rows.map((row) => [row.openTimeUs, row]))
      for (const [month, ofMonth] of byMonth([...given.values()])) {
        await change(lake, { ...s, month }, (before) => [
          ...before.filter(({ openTimeUs }) => !given.has(openTimeUs)),
          ...ofMonth,
        ])
      }
      return given.size
    },
    exists: async (at) => {
      const { dataset, symbol, interval, fromUs, toUs } = sliceOf(at, at.fromUs, at.toUs)
      for await (const batch of lake.read({ dataset, symbol, interval, fromUs, toUs }, ['openTimeUs']))
        if (batch.length > 0) return true
      return false
    },
    deleteByDateRange: async (at) => {
      const { fromUs, toUs } = sliceOf(at, at.fromUs, at.toUs)
      let deleted = 0
      for (const partition of await partitionsOf(lake, at)) {
        const month = monthRange(partition.month)
        if (month.toUs <= fromUs || month.fromUs >= toUs) continue
        deleted += await change(lake, partition, (before) =>
          before.filter(({ openTimeUs }) => openTimeUs < fromUs || openTimeUs >= toUs),
        )
      }
      return deleted
    },
    getAvailableDates: async (s) => {
      const days: Day[] = []
      for (const partition of await partitionsOf(lake, s)) days.push(...(await daysOf(lake, partition)))
      return days
    },
  }
}

async function partitionsOf<N>(lake: Lake<N>, { dataset, symbol, interval }: Series): Promise<Partition[]> {
  const found: Partition[] = []
  for await (const partition of lake.list({ dataset, symbol, interval })) found.push(partition)
  return found
}

function byMonth<N>(rows: readonly Candle<N>[]): Map<string, Candle<N>[]> {
  const months = new Map<string, Candle<N>[]>()
  for (const row of rows) {
    const month = monthOfUs(row.openTimeUs)
    const before = months.get(month)
    if (before) before.push(row)
    else months.set(month, [row])
  }
  return months
}

/** Rewrites a partition by what `next` makes of its rows; gives how many rows fewer there are. */
async function change<N>(lake: Lake<N>, p: Partition, next: (before: Candle<N>[]) => Candle<N>[]): Promise<number> {
  for (let tries = 1; ; tries++) {
    try {
      const object = await lake.object(p)
      const before = object ? await lake.read(p).rows() : []
      const after = next(before)
      if (object && after.length === 0) await lake.delete(p)
      else if (after.length !== before.length || after.some((row, n) => row !== before[n])) {
        await lake.write(p, batchOf(after), { condition: object ? { ifMatch: object.etag } : { ifNoneMatch: '*' } })
      }
      return before.length - after.length
    } catch (thrown) {
      const lost = thrown instanceof PipelineError && thrown.code === 'PRECONDITION_FAILED' && tries < TRIES
      if (!lost) throw thrown
    }
  }
}
