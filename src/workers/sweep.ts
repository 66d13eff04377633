import { asPipelineError } from '../domain/errors.js'
import { incomingKeyOf, stagingFolderOf } from '../domain/names.js'
import { partitionKeyOf } from '../domain/partition.js'
import type { Claim } from '../domain/ports/stage-catalog.js'
import { incomingGarbage, stagingGarbage, type Garbage, type GarbagePorts } from './garbage.js'
import type { Ports } from './stage.js'

/**
 * Removes what an execution no longer needs: its own folder, and unless it was fenced the folders and the incoming object
 * that the work before it left. A failure here loses nothing, so it is logged; reconcile sweeps what stays behind.
 */
export async function sweepExecution(c: Claim, ports: Ports, extent: 'all' | 'own files only' = 'all'): Promise<void> {
  const own = stagingFolderOf(c.partition, c.generation, c.token)
  const { downloaded, converted, uploaded } = c.work
  const folders = extent === 'all' ? [own, downloaded?.folder, converted?.folder] : [own]
  const incoming = [
    c.stage === 'upload' ? incomingKeyOf(c.partition, c.generation, c.token) : undefined,
    extent === 'all' ? uploaded?.key : undefined,
  ]
  await orLogged(c, ports, async () => {
    for (const folder of folders) if (folder !== undefined) await ports.staging.clear(folder)
    for (const key of incoming) if (key !== undefined) await ports.lake.delete(key)
  })
}

/** Scratch files of an execution that handed on what it kept: on this host nobody comes back for them. */
export async function leaveExecution(c: Claim, ports: Ports): Promise<void> {
  await orLogged(c, ports, () => ports.staging.leave(stagingFolderOf(c.partition, c.generation, c.token)))
}

async function orLogged(c: Claim, ports: Ports, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (thrown) {
    const { code, message } = asPipelineError(thrown)
    ports.log.warn('sweep.left_behind', { partition: partitionKeyOf(c.partition), code, message })
  }
}

/** What a sweep over everything removed. */
export type Swept = {
  readonly folders: number
  readonly objects: number
  readonly bytes: number
  /** Writes that were never finished; their bytes are not in `bytes`. */
  readonly unfinished: number
}

/**
 * Removes staging folders and incoming objects that no row on its way refers to, and unfinished writes: the files of
 * workers that died. Only what has not changed for `quietMs` is touched, since a claim may be newer than the answer of
 * the catalog. A writer that was only stopped finds its file gone, and does its work again.
 */
export async function sweepOrphans(ports: GarbagePorts, quietMs: number): Promise<Swept> {
  const swept = { folders: 0, objects: 0, bytes: 0, unfinished: 0 }
  for (const found of [stagingGarbage(ports, quietMs), incomingGarbage(ports, quietMs)]) {
    for await (const one of found) {
      if (one.kind === 'foreign' || !(await removeGarbage(one, ports))) continue
      swept[one.kind === 'staging' ? 'folders' : 'objects']++
      swept.bytes += one.bytes
    }
  }
  swept.unfinished = (await ports.lake.sweep(quietMs)) + (await ports.staging.sweep(quietMs))
  return swept
}

/**
 * Removes what was found to be garbage; false when it is not any more. Names in staging, `_incoming` and `_revisions`
 * are one execution's or one content's, so what nobody refers to stays so. A published name comes to be used again: it
 * is freed while the catalog lets nobody publish the partition, and only the object that was found.
 */
export async function removeGarbage(one: Garbage, { staging, lake, keeper }: GarbagePorts): Promise<boolean> {
  if (one.kind === 'staging') {
    await staging.clear(one.key)
    return true
  }
  if (one.kind !== 'data' && one.kind !== 'certificate') return await lake.delete(one.key)
  let removed = false
  await keeper.whileUnnamed(one.partition, async () => {
    if ((await lake.head(one.key))?.etag === one.etag) removed = await lake.delete(one.key)
  })
  return removed
}
