import { objectKeyOf } from '../domain/names.js'
import { asPipelineError, type ErrorCode } from '../domain/errors.js'
import { partitionKeyOf } from '../domain/partition.js'
import type { CandleEngine } from '../domain/ports/engine.js'
import type { KeeperCatalog, PartitionFilter, PartitionSummary } from '../domain/ports/keeper-catalog.js'
import type { ObjectStore } from '../domain/ports/object-store.js'
import type { NumericType } from '../domain/candle.js'
import { STATES, type State } from '../domain/states.js'
import { certificateDrift } from './certificate-beside.js'
import { rowNow } from './published-row.js'
import { withScratch } from './scratch.js'

export type VerifyStoredPorts = {
  readonly keeper: KeeperCatalog
  readonly lake: ObjectStore
  readonly engine: CandleEngine
  readonly numericType: NumericType
}

/** What a stored partition looks like today. `drift` is null when all is as the catalog says. */
export type StoredCheck = { readonly partition: string; readonly rows: number; readonly drift: string | null }

/** One that is being published just now is the next call's: object and catalog change together, but not at once. */
const STILL: readonly State[] = STATES.filter((state) => state !== 'verifying')

/**
 * Reads every published partition again and compares it with the catalog: presence, hash, rows, values, order, and the
 * certificate beside it. What is published counts, not the state: an older revision is read by people too. A difference
 * is looked at twice, since a newer revision may have been published meanwhile.
 */
export async function* verifyStored(
  filter: PartitionFilter, ports: VerifyStoredPorts, signal: AbortSignal,
): AsyncGenerator<StoredCheck> {
  for await (const row of ports.keeper.partitions({ ...filter, states: STILL, published: true })) {
    signal.throwIfAborted()
    const check = await checked(row, ports, signal)
    const again = check.drift === null ? null : await rowNow(row.partition, ports.keeper)
    if (again === null || again.generation === row.generation) yield check
    else if (again.published !== null && STILL.includes(again.state)) yield await checked(again, ports, signal)
  }
}

async function checked(row: PartitionSummary, ports: VerifyStoredPorts, signal: AbortSignal): Promise<StoredCheck> {
  const drift = await driftOf(row, ports, signal)
  return { partition: partitionKeyOf(row.partition), rows: row.published?.rows ?? 0, drift }
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
    if (is.logicalHash !== certificate?.data.logicalHash) return 'other rows'
    if (is.sha256Hex !== published.sha256Hex) return 'other bytes, the same rows'
    return (await certificateDrift(partition, certificate, ports.lake))?.drift ?? null
  } catch (thrown) {
    signal.throwIfAborted()
    const { code, message } = asPipelineError(thrown)
    // One object that kills the engine must not keep the others from being looked at.
    if (UNREADABLE.includes(code)) return `unreadable: ${message}`
    throw thrown
  }
}
