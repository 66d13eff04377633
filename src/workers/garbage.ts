import { INCOMING, parseLakeKey, parseStagingKey, REVISIONS } from '../domain/names.js'
import { partitionKeyOf, type Partition } from '../domain/partition.js'
import type { KeeperCatalog } from '../domain/ports/keeper-catalog.js'
import type { ObjectInfo } from '../domain/ports/object-store.js'
import type { Ports } from './stage.js'

export type GarbagePorts = Pick<Ports, 'staging' | 'lake' | 'now'> & { readonly keeper: KeeperCatalog }

export const GARBAGE_KINDS = ['staging', 'incoming', 'revision', 'data', 'certificate'] as const
export type GarbageKind = (typeof GARBAGE_KINDS)[number]

/** A staging folder or an object that nothing needs. `etag` is null for a folder. */
export type Garbage = {
  readonly kind: GarbageKind
  readonly partition: Partition
  readonly key: string
  readonly bytes: number
  readonly etag: string | null
}

/** Something that none of our names fits: it is somebody else's, and left alone. */
export type Foreign = { readonly kind: 'foreign'; readonly key: string; readonly bytes: number }

/** Staging folders that no row on its way refers to, unchanged for `quietMs`: a claim may be newer than the answer. */
export async function* stagingGarbage(ports: GarbagePorts, quietMs: number): AsyncGenerator<Garbage | Foreign> {
  const before = ports.now().getTime() - quietMs
  for await (const { folder, bytes, changed } of ports.staging.folders()) {
    const name = parseStagingKey(folder)
    if (!name) yield { kind: 'foreign', key: folder, bytes }
    else if (changed.getTime() <= before && !(await ports.keeper.isReferenced(name))) {
      yield { kind: 'staging', partition: name.partition, key: folder, bytes, etag: null }
    }
  }
}

/** Incoming objects that no row on its way refers to, unchanged for `quietMs`. */
export async function* incomingGarbage(ports: GarbagePorts, quietMs: number): AsyncGenerator<Garbage | Foreign> {
  const before = ports.now().getTime() - quietMs
  for await (const object of ports.lake.list(`${INCOMING}/`)) {
    const name = parseLakeKey(object.key)
    if (name?.kind !== 'incoming') yield foreign(object)
    else if (object.lastModified.getTime() <= before && !(await ports.keeper.isReferenced(name))) {
      yield garbage('incoming', name.partition, object)
    }
  }
}

/** Replaced revisions beyond the newest `keep` of each partition, unchanged for `quietMs`. */
export async function* revisionGarbage(
  ports: GarbagePorts, quietMs: number, keep: number,
): AsyncGenerator<Garbage | Foreign> {
  const before = ports.now().getTime() - quietMs
  let partition: Partition | null = null
  let kept: ObjectInfo[] = []
  const beyond = (): Garbage[] => {
    kept.sort((a, b) => b.lastModified.getTime() - a.lastModified.getTime())
    const old = kept.slice(keep).filter(({ lastModified }) => lastModified.getTime() <= before)
    return partition === null ? [] : old.map((object) => garbage('revision', partition as Partition, object))
  }
  for await (const object of ports.lake.list(`${REVISIONS}/`)) {
    const name = parseLakeKey(object.key)
    if (name?.kind !== 'revision') {
      yield foreign(object)
      continue
    }
    if (partition === null || partitionKeyOf(partition) !== partitionKeyOf(name.partition)) {
      yield* beyond()
      ;[partition, kept] = [name.partition, []]
    }
    kept.push(object)
  }
  yield* beyond()
}

/** Objects asked for together. */
const BATCH = 500

/**
 * Objects under a published name, and certificates, that no row names and that nothing may be about to name, unchanged
 * for `quietMs`. `onNamed` hears how many data objects the catalog does name.
 */
export async function* publishedGarbage(
  ports: GarbagePorts, quietMs: number, onNamed: (count: number) => void,
): AsyncGenerator<Garbage | Foreign> {
  const before = ports.now().getTime() - quietMs
  for await (const batch of batches(published(ports))) {
    const known = await ports.keeper.named(batch.flatMap((one) => (one.kind === 'foreign' ? [] : [one.partition])))
    for (const one of batch) {
      if (one.kind === 'foreign') yield one
      else if (known.has(partitionKeyOf(one.partition))) onNamed(one.kind === 'data' ? 1 : 0)
      else if (one.changedMs <= before) yield one
    }
  }
}

type Seen = (Garbage & { readonly changedMs: number }) | Foreign

async function* published({ lake }: GarbagePorts): AsyncGenerator<Seen> {
  for await (const object of lake.list('')) {
    if (object.key.startsWith(`${INCOMING}/`) || object.key.startsWith(`${REVISIONS}/`)) continue
    const name = parseLakeKey(object.key)
    if (name?.kind === 'marker') continue
    if (name?.kind !== 'data' && name?.kind !== 'certificate') yield foreign(object)
    else yield { ...garbage(name.kind, name.partition, object), changedMs: object.lastModified.getTime() }
  }
}

const foreign = ({ key, bytes }: ObjectInfo): Foreign => ({ kind: 'foreign', key, bytes })

const garbage = (kind: GarbageKind, partition: Partition, { key, bytes, etag }: ObjectInfo): Garbage =>
  ({ kind, partition, key, bytes, etag })

async function* batches(all: AsyncIterable<Seen>): AsyncGenerator<readonly Seen[]> {
  let batch: Seen[] = []
  for await (const one of all) {
    if (batch.push(one) < BATCH) continue
    yield batch
    batch = []
  }
  yield batch
}
