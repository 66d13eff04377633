import type { Partition } from '../domain/partition.js'
import type { KeeperCatalog, PartitionSummary } from '../domain/ports/keeper-catalog.js'

/**
 * What the catalog says of a partition now: pages of rows grow old while their objects are read. Null without a row.
 */
export async function rowNow(
  { dataset, symbol, interval, month }: Partition, keeper: KeeperCatalog,
): Promise<PartitionSummary | null> {
  const exact = { datasets: [dataset], symbols: [symbol], intervals: [interval], months: [month] }
  for await (const row of keeper.partitions(exact)) return row
  return null
}
