import { link, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf } from '../../domain/errno.js'
import { PipelineError } from '../../domain/errors.js'
import type { Condition } from '../../domain/ports/object-store.js'
import { inFolder, inUnsyncedFolder } from './durable.js'
import { infoOf, statFile } from './file-info.js'

/** File systems without hard links (exFAT, some network shares) say so in these words. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

/**
 * Puts a finished file in its place in one step, durably where `durable`; `from` is gone afterwards, though a power cut may
 * bring it back beside its new name. The caller holds the lock of the key. `ifNoneMatch` is exact between processes too, by
 * link(2). `ifMatch` is a check and then a rename: the lock excludes other writers of this process; the catalog's row lock,
 * under which objects are published, other processes. `fresh` says that nobody else ever saw `from`.
 * @throws {PRECONDITION_FAILED}
 */
export async function placeFile(o: {
  from: string
  to: string
  condition: Condition | undefined
  fresh: boolean
  durable: boolean
}): Promise<void> {
  const { from, to, condition } = o
  await (o.durable ? inFolder : inUnsyncedFolder)(dirname(to), async () => {
    if (condition && 'ifNoneMatch' in condition) return placeNew(from, to)
    if (condition) await refuseOther(to, condition.ifMatch)
    await (o.fresh ? rename(from, to) : renameOver(from, to))
  })
}

async function placeNew(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
    await rm(from)
  } catch (thrown) {
    const errno = errnoOf(thrown) ?? ''
    if (errno === 'EEXIST') throw preconditionFailed(to, 'there is an object already')
    if (!NO_LINKS.has(errno)) throw thrown
    if (await statFile(to)) throw preconditionFailed(to, 'there is an object already')
    await rename(from, to)
  }
}

async function refuseOther(to: string, etag: string): Promise<void> {
  const stats = await statFile(to)
  if (!stats) throw preconditionFailed(to, 'there is no object to replace')
  if (infoOf('', stats).etag !== etag) throw preconditionFailed(to, 'another object is there now')
}

/** A move that died between link and rm left one file under two names, and rename(2) of these does nothing. */
async function renameOver(from: string, to: string): Promise<void> {
  const [source, target] = [await statFile(from), await statFile(to)]
  if (source && target && source.ino === target.ino) await rm(from)
  else await rename(from, to)
}

export const preconditionFailed = (at: string, why: string): PipelineError =>
  new PipelineError('PRECONDITION_FAILED', `the object was not written: ${why}`, { at })
