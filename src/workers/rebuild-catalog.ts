import { createHash } from 'node:crypto'
import type { NumericType } from '../domain/candle.js'
import type { Certificate } from '../domain/certificate.js'
import { asPipelineError, PipelineError } from '../domain/errors.js'
import { certificateKeyOf, parseLakeKey } from '../domain/names.js'
import { partitionKeyOf, type Partition } from '../domain/partition.js'
import type { CandleEngine } from '../domain/ports/engine.js'
import type { KeeperCatalog, RestoredPartition } from '../domain/ports/keeper-catalog.js'
import type { ObjectInfo, ObjectStore } from '../domain/ports/object-store.js'
import { readCertificate, sourcesOf } from '../domain/read-certificate.js'
import { withScratch } from './scratch.js'

export type RebuildPorts = {
  readonly keeper: Pick<KeeperCatalog, 'restore'>
  readonly lake: ObjectStore
  readonly engine: CandleEngine
  readonly numericType: NumericType
}

/**
 * What became of a published partition. `kept`: the catalog has a row that is as new, or on its way. `left_out`: the
 * object is not what its certificate says, for the `reason`; a backfill does it again.
 */
export type Rebuilt = {
  readonly partition: string
  readonly outcome: 'added' | 'replaced' | 'kept' | 'left_out'
  readonly rows: number
  readonly reason: string | null
}

/** Partitions looked at together: a remote lake answers one request after the other rather slowly. */
const AT_ONCE = 4

/**
 * Makes catalog rows of the lake alone: of every published object whose bytes are those that its certificate names.
 * @throws {NUMERIC_TYPE_MISMATCH} at the first certificate of the other type
 */
export async function* rebuildCatalog(
  ports: RebuildPorts, o: { matches: (partition: Partition) => boolean; dryRun: boolean; signal: AbortSignal },
): AsyncGenerator<Rebuilt> {
  const pending: Promise<Rebuilt>[] = []
  for await (const object of ports.lake.list('')) {
    o.signal.throwIfAborted()
    const name = parseLakeKey(object.key)
    if (name?.kind !== 'data' || !o.matches(name.partition)) continue
    const one = rebuild(name.partition, object, ports, o)
    one.catch(() => undefined) // awaited in order below; a later one may fail before that
    pending.push(one)
    if (pending.length < AT_ONCE) continue
    const first = await pending.shift()
    if (first) yield first
  }
  for (const one of pending) yield await one
}

async function rebuild(
  partition: Partition, object: ObjectInfo, ports: RebuildPorts, o: { dryRun: boolean; signal: AbortSignal },
): Promise<Rebuilt> {
  const key = partitionKeyOf(partition)
  const found = await restorable(partition, object, ports, o.signal).catch(whyLeftOut)
  if (typeof found === 'string') return { partition: key, outcome: 'left_out', rows: 0, reason: found }
  const isThere = async (): Promise<boolean> => (await ports.lake.head(object.key))?.etag === object.etag
    && (await ports.lake.head(certificateKeyOf(partition))) !== null
  const outcome = await ports.keeper.restore(found, isThere, o.dryRun)
  if (outcome === 'gone') return { partition: key, outcome: 'left_out', rows: 0, reason: MEANWHILE }
  return { partition: key, outcome, rows: found.published.rows, reason: null }
}

const MEANWHILE = 'it was removed or replaced meanwhile'

/** What is wrong with one object keeps no other from its row; all else ends the work. */
function whyLeftOut(thrown: unknown): string {
  const { code, message } = asPipelineError(thrown)
  if (code === 'OBJECT_CORRUPT') return `it is damaged: ${message}`
  if (code === 'PRECONDITION_FAILED' || code === 'OBJECT_ABSENT') return MEANWHILE
  throw thrown
}

/** The row to be, or why there can be none. */
async function restorable(
  partition: Partition, object: ObjectInfo, ports: RebuildPorts, signal: AbortSignal,
): Promise<RestoredPartition | string> {
  const certificate = await certificateOf(partition, ports)
  if (typeof certificate === 'string') return `${certificate}; ${await looksLike(partition, object, ports, signal)}`
  const { data, origin } = certificate
  if (data.numericType !== ports.numericType) throw otherType(data.numericType, ports)
  if (object.bytes !== data.dataBytes || (await sha256Of(object, ports.lake)) !== data.dataSha256) {
    return `other bytes than its certificate names; ${await looksLike(partition, object, ports, signal)}`
  }
  const { key, etag, bytes } = object
  const published = { key, etag, bytes, sha256Hex: data.dataSha256, rows: data.rows, revision: data.revision }
  const sources = sourcesOf(certificate, partition)
  return { partition, published, certificate, sources, bounds: origin?.bounds ?? null }
}

async function certificateOf(partition: Partition, { lake }: RebuildPorts): Promise<Certificate | string> {
  try {
    const pieces: Buffer[] = []
    for await (const piece of await lake.get({ key: certificateKeyOf(partition) })) pieces.push(piece as Buffer)
    return readCertificate(Buffer.concat(pieces).toString('utf8'), partition)
  } catch (thrown) {
    const { code, message } = asPipelineError(thrown)
    if (code === 'OBJECT_ABSENT') return 'it has no certificate'
    if (code === 'OBJECT_CORRUPT') return message
    throw thrown
  }
}

async function sha256Of({ key, etag }: ObjectInfo, lake: ObjectStore): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of await lake.get({ key, ifMatch: etag })) hash.update(piece as Buffer)
  return hash.digest('hex')
}

/** What two readers make of an object that no certificate vouches for: a person may want it until it is done again. */
async function looksLike(
  partition: Partition, { key }: ObjectInfo, ports: RebuildPorts, signal: AbortSignal,
): Promise<string> {
  const { numericType } = ports
  try {
    const { rows, footer } = await withScratch(async (scratch) => {
      const path = await ports.lake.materialise({ key, scratch })
      return await ports.engine.inspect({ partition, path, numericType }, signal)
    })
    const revision = footer.metadata['candlelake.revision']?.slice(0, 16) ?? 'none'
    return `its footer says revision ${revision}, and it holds ${rows} good rows`
  } catch (thrown) {
    signal.throwIfAborted()
    return `it cannot be read: ${asPipelineError(thrown).message}`
  }
}

function otherType(is: string, { numericType, lake }: RebuildPorts): PipelineError {
  const message = `the lake holds ${is} numbers, the catalog is for ${numericType} ones`
  return new PipelineError('NUMERIC_TYPE_MISMATCH', message, {
    at: lake.url, lake: is, asked: numericType,
    do: `set NUMERIC_TYPE=${is}, and begin with a database that holds no catalog yet`,
  })
}
