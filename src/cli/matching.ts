import { filterOf, matchesPartition, type PartitionGlob } from '../domain/partition-glob.js'
import type { KeeperCatalog, PartitionFilter } from '../domain/ports/keeper-catalog.js'
import { isGlob } from '../domain/selection.js'

/**
 * A filter for exactly the partitions of the catalog that match; null when none does. The parts of a glob do not depend
 * on each other, so the symbols and the months that occur in matches, taken together, match nothing else.
 */
export async function filterMatching(
  keeper: Pick<KeeperCatalog, 'partitions'>,
  glob: PartitionGlob,
): Promise<PartitionFilter | null> {
  const filter = filterOf(glob)
  const open = (part: string): boolean => part !== '*' && isGlob(part)
  if (!open(glob.symbol) && !open(glob.month)) return filter
  const [symbols, months] = [new Set<string>(), new Set<string>()]
  for await (const { partition } of keeper.partitions(filter)) {
    if (!matchesPartition(glob, partition)) continue
    symbols.add(partition.symbol)
    months.add(partition.month)
  }
  return symbols.size === 0 ? null : { ...filter, symbols: [...symbols], months: [...months] }
}
