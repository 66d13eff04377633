import { objectKeyOf } from '../domain/names.js'
import { asPipelineError, type ErrorCode } from '../domain/errors.js'
import { partitionKeyOf } from '../domain/partition.js'
import type { CandleEngine } from '../domain/ports/engine.js'
import type { KeeperCatalog, PartitionFilter, PartitionSummary } from '../domain/ports/keeper-catalog.js'
import type { ObjectStore } from '../domain/ports/object-store.js'
import type { NumericType } from '../domain/candle.js'
import { withScratch } from './scratch.js'

export type VerifyStoredPorts = {
  readonly keeper: KeeperCatalog
  readonly lake: ObjectStore
  readonly engine: CandleEngine
  readonly numericType: NumericType
}

/** What a stored partition looks like today. `drift` is null when all is as the catalog says. */
export type StoredCheck = { readonly partition: string; readonly rows: number; readonly drift: string | null }

/** Reads every published partition again and compares it with the catalog: presence, hash, rows, values, order. */
export async function* verifyStored(
  filter: PartitionFilter, ports: VerifyStoredPorts, signal: AbortSignal,
): AsyncGenerator<StoredCheck> {
  for await (const row of ports.keeper.partitions({ ...filter, states: ['verified', 'provisional'] })) {
    signal.throwIfAborted()
    yield { partition: partitionKeyOf(row.partition), rows: row.published?.rows ?? 0, drift: await driftOf(row, ports, signal) }
  }
}

const UNREADABLE: readonly ErrorCode[] = ['OBJECT_CORRUPT', 'VERIFY_MISMATCH', 'OBJECT_ABSENT', 'ENGINE_CRASHED', 'ENGINE_MEMORY']

async function driftOf(row: PartitionSummary, ports: VerifyStoredPorts, signal: AbortSignal): Promise<string | null> {
  const { partition, published, certificate } = row
  if (!published) return 'the catalog names no published object'
  const key = objectKeyOf(partition)
  if (!(await ports.lake.head(key))) return 'the object is gone'
  const { numericType } = ports
  try {
    const is = await withScratch(async (scratch) => {
      const path = await ports.lake.materialise({ key, scratch })
      return await ports.engine.inspect({ partition, path, numericType }, signal)
    })
    if (is.sha256Hex === published.sha256Hex && is.logicalHash === certificate?.data.logicalHash) return null
    return is.logicalHash === certificate?.data.logicalHash ? 'other bytes, the same rows' : 'other rows'
  } catch (thrown) {
    signal.throwIfAborted()
    const { code, message } = asPipelineError(thrown)
    // One object that kills the engine must not keep the others from being looked at.
    if (UNREADABLE.includes(code)) return `unreadable: ${message}`
    throw thrown
  }
}
