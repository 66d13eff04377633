import type { NumericType } from '../domain/candle.js'
import type { HotCandle } from '../domain/hot-candle.js'
import type { Partition, Series } from '../domain/partition.js'
import type { HotStore } from '../domain/ports/hot-store.js'
import type { KeeperCatalog, PartitionFilter } from '../domain/ports/keeper-catalog.js'
import type { Batches } from './candle.js'
import { hotCandleOf } from './hot-repository.js'
import type { Lake } from './lake.js'
import { onlyMonths } from './warm-months.js'

/** Rows read, and how many of them were stored: not those that meet better known ones. */
export type Loaded = { readonly rows: number; readonly stored: number }

export type LoadedMonth = Loaded & { readonly partition: Partition }

/** Stores rows as the archive's word, until the signal. A batch is stored whole or not at all. */
export async function loadRows(
  hot: HotStore, s: Series, batches: Batches<HotCandle>, signal: AbortSignal,
): Promise<Loaded> {
  const seen = { rows: 0, stored: 0 }
  for await (const batch of batches) {
    if (signal.aborted) break
    seen.rows += batch.length
    seen.stored += await hot.save(s, batch, 'archive')
  }
  return seen
}

export type LoadPorts = {
  readonly hot: HotStore
  readonly lake: Lake<unknown>
  readonly keeper: Pick<KeeperCatalog, 'partitions'>
  readonly numericType: NumericType
}

/** Copies the verified months of a lake that match into hot, until the signal. */
export async function* loadMonths(
  { hot, lake, keeper, numericType }: LoadPorts, filter: PartitionFilter, signal: AbortSignal,
): AsyncGenerator<LoadedMonth> {
  for await (const { partition, published, certificate } of keeper.partitions({ ...filter, published: true })) {
    if (signal.aborted) break
    if (published === null || certificate?.verdict !== 'verified') continue
    const { key, etag, bytes } = published
    const only = onlyMonths(lake, [{ object: { partition, key, etag, bytes }, provisional: false }])
    yield { partition, ...(await loadRows(hot, partition, hotRows(only, partition, numericType), signal)) }
  }
}

async function* hotRows(lake: Lake<unknown>, p: Partition, numericType: NumericType): AsyncGenerator<HotCandle[]> {
  for await (const batch of lake.read(p)) yield batch.map((row) => hotCandleOf(row, p, numericType))
}
