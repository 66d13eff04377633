import type { NumericType } from '../domain/candle.js'
import { PipelineError } from '../domain/errors.js'
import { mergeParts, type Part } from '../domain/merge-parts.js'
import { monthOfUs, monthRange } from '../domain/month.js'
import { partitionKeyOf } from '../domain/partition.js'
import type { HotStore, WarmMonth } from '../domain/ports/hot-store.js'
import type { MarketDataRepository } from '../domain/ports/market-data-repository.js'
import { sliceOf, type Slice } from '../domain/slice.js'
import type { Candle } from './candle.js'
import { daysOf } from './days-of.js'
import { candleReader, checkLimit, hotCandleOf } from './hot-repository.js'
import type { Lake } from './lake.js'
import { newestRows } from './newest-rows.js'
import { askedAgain, onlyMonths } from './warm-months.js'

/** Both sides as one, and which part of an answer came from where. */
export interface HybridRepository<N> extends MarketDataRepository<Candle<N>> {
  read(at: Slice): Promise<{ readonly rows: Candle<N>[]; readonly parts: readonly Part[] }>
}

type Sides<N> = { readonly hot: HotStore; readonly lake: Lake<N>; readonly numericType: NumericType }

/**
 * Hot rows and the months that the catalog says are published, as one. Which months these are and what is hot is read
 * in one snapshot, and the objects are the exact ones that it names: rows leave hot only after their month is in the
 * catalog, so they are on one side in any snapshot. Where both have a row of one time, the month's counts, unless it is
 * provisional.
 */
export function hybridRepository<N>({ hot, lake, numericType }: Sides<N>): HybridRepository<N> {
  const candle = candleReader<N>(numericType)
  const warm = async (months: readonly WarmMonth[], at: Slice): Promise<Candle<N>[]> =>
    months.length === 0 ? [] : await onlyMonths(lake, months).read(at).rows()
  const read: HybridRepository<N>['read'] = async (given) => {
    const at = sliceOf(given, given.fromUs, given.toUs)
    const sides = await hot.view(async (view) => {
      const months = await view.months(at)
      const warmRows = warm(months, at)
      // Awaited below; a failure of the hot side may come first.
      warmRows.catch(() => undefined)
      return { months, hotRows: await view.read(at), warmRows }
    })
    return mergeParts(sides.hotRows.map(candle), await sides.warmRows, hotCountsIn(sides.months))
  }
  const latest = async (s: Parameters<HotStore['latest']>[0], limit: number): Promise<Candle<N>[]> => {
    const { months, newest } = await hot.view(async (view) =>
      ({ newest: (await view.latest(s, limit)).map(candle), months: await view.months(s) }))
    let rows = newest
    for (const month of [...months].reverse()) {
      const { partition } = month.object
      const oldest = rows.at(-limit)?.openTimeUs
      if (oldest !== undefined && oldest >= monthRange(partition.month).toUs) break
      const more = await newestRows(onlyMonths(lake, [month]), partition, limit)
      rows = mergeParts(rows, more, hotCountsIn([month])).rows.slice(-limit)
    }
    return rows
  }
  return {
    read: (at) => askedAgain(() => read(at)),
    getByDateRange: async (at) => (await askedAgain(() => read(at))).rows,
    getLatest: async (s, limit = 1) => (checkLimit(limit) === 0 ? [] : await askedAgain(() => latest(s, limit))),
    save: async (s, rows) => await hot.save(s, rows.map((row) => hotCandleOf(row, s, numericType)), 'closed'),
    exists: async (given) => {
      const at = sliceOf(given, given.fromUs, given.toUs)
      return await askedAgain(async () => {
        const { found, months } = await hot.view(async (view) =>
          ({ found: await view.exists(at), months: await view.months(at) }))
        return found || (await firstWithRows(lake, months, at)) !== null
      })
    },
    deleteByDateRange: async (given) => {
      const at = sliceOf(given, given.fromUs, given.toUs)
      const month = await askedAgain(async () =>
        await firstWithRows(lake, await hot.view((view) => view.months(at)), at))
      if (month) throw published(month)
      return await hot.delete(at)
    },
    getAvailableDates: (s) => askedAgain(async () => {
      const { days, months } = await hot.view(async (view) =>
        ({ days: await view.days(s), months: await view.months(s) }))
      const found = new Set(days)
      for (const month of months) {
        for (const day of await daysOf(onlyMonths(lake, [month]), month.object.partition)) found.add(day)
      }
      return [...found].sort()
    }),
  }
}

function hotCountsIn(months: readonly WarmMonth[]): (openTimeUs: bigint) => boolean {
  const provisional = new Set(months.filter((month) => month.provisional).map(({ object }) => object.partition.month))
  return provisional.size === 0 ? () => false : (us) => provisional.has(monthOfUs(us))
}

async function firstWithRows<N>(lake: Lake<N>, months: readonly WarmMonth[], at: Slice): Promise<WarmMonth | null> {
  for (const month of months) {
    for await (const batch of onlyMonths(lake, [month]).read(at, ['openTimeUs'])) if (batch.length > 0) return month
  }
  return null
}

const published = ({ object }: WarmMonth): PipelineError =>
  new PipelineError('PARTITION_PUBLISHED', 'rows of a published month are not deleted by range', {
    at: partitionKeyOf(object.partition), do: 'delete up to the month, or from its end on',
  })
