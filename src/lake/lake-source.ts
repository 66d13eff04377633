import { monthRange, type Month, type TimeRange } from '../domain/month.js'
import { objectKeyOf } from '../domain/names.js'
import { seriesKeyOf, type Partition, type Series } from '../domain/partition.js'
import type { CandleSource, FoundCandles, WantedCandles } from '../domain/ports/candle-source.js'
import type { ObjectStore } from '../domain/ports/object-store.js'
import { planQuery, type Scan } from '../domain/query-plan.js'
import { sliceOf, type Slice } from '../domain/slice.js'
import type { Candle } from './candle.js'
import type { Lake } from './lake.js'

type AnyCandle = Candle<number> | Candle<string>

/** A lake as a source of many series: what it shows, which is what was verified. */
export function lakeSource(lake: Lake<unknown>, store: ObjectStore): CandleSource {
  return {
    find: async function* (wanted, { onMissing }) {
      const found = seriesIn(await partitionsIn(lake, wanted), wanted.range)
      yield* found
      const there = new Set(found.map(({ at }) => seriesKeyOf(at)))
      for (const series of named(wanted)) if (!there.has(seriesKeyOf(series))) onMissing(series)
    },
    read: (at, call) => lake.read(at, undefined, call) as AsyncIterable<AnyCandle[]> as AsyncIterable<Candle<number>[]>,
    files: async function* (at, { scratch, signal }) {
      for (const { partition } of await partitionsIn(lake, { ...wantedOf(at), range: at })) {
        signal?.throwIfAborted()
        yield { month: partition.month, path: await store.materialise({ key: objectKeyOf(partition), scratch }) }
      }
    },
  }
}

const wantedOf = ({ dataset, symbol, interval }: Slice): Omit<WantedCandles, 'range'> =>
  ({ dataset, symbols: { names: [symbol] }, intervals: [interval] })

async function partitionsIn(lake: Lake<unknown>, wanted: WantedCandles): Promise<readonly { partition: Partition }[]> {
  const scan: Scan = {
    dataset: wanted.dataset, symbols: 'names' in wanted.symbols ? wanted.symbols.names : null,
    intervals: wanted.intervals, range: wanted.range, columns: null,
  }
  const { objects } = planQuery(await lake.ports.index.objects(scan), scan)
  const { symbols } = wanted
  return 'names' in symbols ? objects : objects.filter(({ partition }) => symbols.matching(partition.symbol))
}

/** Partitions in order, by series; an open end of the range is that of the first or last month there is. */
function seriesIn(partitions: readonly { partition: Partition }[], range: WantedCandles['range']): FoundCandles[] {
  const bySeries = new Map<string, { series: Series; months: Month[] }>()
  for (const { partition } of partitions) {
    const key = seriesKeyOf(partition)
    const before = bySeries.get(key)
    if (before) before.months.push(partition.month)
    else bySeries.set(key, { series: partition, months: [partition.month] })
  }
  return [...bySeries.values()].map(({ series, months }) => {
    const { fromUs, toUs } = spanOf(months)
    return { at: sliceOf(series, range.fromUs ?? fromUs, range.toUs ?? toUs), months }
  })
}

const spanOf = (months: readonly Month[]): TimeRange =>
  ({ fromUs: monthRange(months[0] ?? '').fromUs, toUs: monthRange(months.at(-1) ?? '').toUs })

const named = ({ dataset, symbols, intervals }: WantedCandles): Series[] =>
  'names' in symbols
    ? symbols.names.flatMap((symbol) => (intervals ?? []).map((interval) => ({ dataset, symbol, interval })))
    : []
