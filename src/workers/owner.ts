import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PipelineError } from '../domain/errors.js'
import { markerOf, markerText, readMarker, type Marker, type Owner } from '../domain/marker.js'
import { MARKER, objectKeyOf } from '../domain/names.js'
import type { KeeperCatalog } from '../domain/ports/keeper-catalog.js'
import type { Condition, ObjectStore } from '../domain/ports/object-store.js'
import { withScratch } from './scratch.js'

export type OwnerPorts = {
  readonly keeper: Pick<KeeperCatalog, 'partitions'>
  readonly lake: ObjectStore
  readonly owner: Owner
}

/**
 * Makes sure that the lake is this catalog's before anything is published or swept, and gives its marker. A lake without
 * one is marked, unless it only has the address of the catalog's lake. `dryRun` writes nothing. @throws {LAKE_MISMATCH}
 */
export async function ownLake(ports: OwnerPorts, o: { dryRun: boolean }): Promise<Marker> {
  const { lake, owner } = ports
  const found = await markerIn(lake)
  if (found === null) return await markLake(ports, o.dryRun)
  refuseOther(found, lake.url, owner.catalogId)
  return found
}

/** The same for staging. What a catalog left there that the lake had before is this one's, too. @throws {LAKE_MISMATCH} */
export async function ownStaging(staging: ObjectStore, owner: Owner, lake: Marker): Promise<void> {
  const found = (await markerIn(staging)) ?? (await mark(staging, markerOf(owner)))
  if (found.catalog === owner.catalogId) return
  if (lake.replaced.includes(found.catalog)) await replace(staging, found, owner)
  else throw otherStaging(staging, found, owner)
}

/** Writes nothing. @throws {LAKE_MISMATCH} where a staging is of a catalog that neither this one is nor the lake had */
export async function refuseForeignStaging(staging: ObjectStore, { lake, owner }: OwnerPorts): Promise<void> {
  const found = await markerIn(staging)
  if (found === null || found.catalog === owner.catalogId) return
  const of = await markerIn(lake)
  if (of?.catalog === owner.catalogId && of.replaced.includes(found.catalog)) return
  throw otherStaging(staging, found, owner)
}

const otherStaging = (staging: ObjectStore, { catalog }: Marker, { catalogId }: Owner): PipelineError =>
  mismatch('staging', staging.url, catalog, catalogId, `set another STAGING_URL; where that catalog is gone, delete ${MARKER} there`)

/**
 * Makes the lake this catalog's, whoever had it: for a catalog that was made anew from it. Gives the id of the catalog
 * that had it, null where there was none. @throws {NUMERIC_TYPE_MISMATCH, LAKE_MISMATCH}
 */
export async function takeLake(ports: OwnerPorts, o: { dryRun: boolean }): Promise<string | null> {
  const { lake, owner } = ports
  const found = (await markerIn(lake)) ?? (await markLake(ports, o.dryRun))
  if (found.catalog === owner.catalogId) return null
  if (found.numericType !== owner.numericType) {
    const message = `the lake holds ${found.numericType} numbers, the catalog is for ${owner.numericType} ones`
    throw new PipelineError('NUMERIC_TYPE_MISMATCH', message, {
      at: lake.url, do: `set NUMERIC_TYPE=${found.numericType}, and begin with a database that holds no catalog yet`,
    })
  }
  if (!o.dryRun) await replace(lake, found, owner)
  return found.catalog
}

/** @throws {LAKE_MISMATCH} where a lake is another catalog's; one without a marker passes */
export async function refuseForeign(lake: ObjectStore, catalogId: string): Promise<void> {
  const found = await markerIn(lake)
  if (found) refuseOther(found, lake.url, catalogId)
}

function refuseOther(found: Marker, at: string, catalogId: string): void {
  if (found.catalog === catalogId) return
  throw mismatch('lake', at, found.catalog, catalogId,
    'use the catalog of that lake (DATABASE_URL, CANDLELAKE_HOME), or another LAKE_URL; '
    + 'only where that catalog is gone: candlelake catalog rebuild --add')
}

function mismatch(what: string, at: string, is: string, asked: string, todo: string): PipelineError {
  const message = `the ${what} at ${at} is of catalog ${is}, this is catalog ${asked}`
  return new PipelineError('LAKE_MISMATCH', message, { at, is, asked, do: todo })
}

async function markLake(ports: OwnerPorts, dryRun: boolean): Promise<Marker> {
  await refuseElsewhere(ports)
  const marker = markerOf(ports.owner)
  if (dryRun) return marker
  const there = await mark(ports.lake, marker)
  refuseOther(there, ports.lake.url, marker.catalog)
  return there
}

/** A lake that is right may lack some of its objects, never so many of the first ones. */
const LOOKED_AT = 10

/** The same address behind another endpoint, or a folder that is not mounted: there reconcile would take all for lost. */
async function refuseElsewhere({ keeper, lake }: OwnerPorts): Promise<void> {
  let looked = 0
  for await (const { partition } of keeper.partitions({ published: true })) {
    if (await lake.head(objectKeyOf(partition))) return
    if (++looked === LOOKED_AT) break
  }
  if (looked === 0) return
  const message = `the lake at ${lake.url} has nothing of what this catalog published (${looked} objects looked for)`
  throw new PipelineError('LAKE_MISMATCH', message, {
    at: lake.url, looked,
    do: 'look whether S3_ENDPOINT is right, or the folder mounted; if the lake is lost, restore it, or begin with another database',
  })
}

async function markerIn(store: ObjectStore, ifMatch?: string): Promise<Marker | null> {
  try {
    const pieces: Buffer[] = []
    const body = await store.get({ key: MARKER, ...(ifMatch === undefined ? {} : { ifMatch }) })
    for await (const piece of body) pieces.push(piece as Buffer)
    return readMarker(Buffer.concat(pieces).toString('utf8'), `${store.url}/${MARKER}`)
  } catch (thrown) {
    if (thrown instanceof PipelineError && thrown.code === 'OBJECT_ABSENT') return null
    throw thrown
  }
}

/** Gives what is there afterwards: another process may have been first. */
async function mark(store: ObjectStore, marker: Marker): Promise<Marker> {
  try {
    await write(store, marker, { ifNoneMatch: '*' })
    return marker
  } catch (thrown) {
    const isThere = thrown instanceof PipelineError && thrown.code === 'PRECONDITION_FAILED'
    const there = isThere ? await markerIn(store) : null
    if (there) return there
    throw thrown
  }
}

/** @throws {LAKE_MISMATCH} when it is not what was seen any more */
async function replace(store: ObjectStore, seen: Marker, owner: Owner): Promise<void> {
  const etag = (await store.head(MARKER))?.etag
  const now = etag === undefined ? null : await markerIn(store, etag)
  if (etag === undefined || now?.catalog !== seen.catalog) {
    throw mismatch('store', store.url, now?.catalog ?? 'none', owner.catalogId, 'look who took it over just now')
  }
  await write(store, markerOf(owner, [...now.replaced, now.catalog]), { ifMatch: etag })
}

async function write(store: ObjectStore, marker: Marker, condition: Condition): Promise<void> {
  const text = markerText(marker)
  await withScratch(async (scratch) => {
    const path = join(scratch, MARKER)
    await writeFile(path, text)
    await store.put({ key: MARKER, path, sha256Hex: createHash('sha256').update(text).digest('hex'), condition })
  })
}
