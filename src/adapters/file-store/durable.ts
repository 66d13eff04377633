import { mkdir, open, rmdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf } from '../../domain/errno.js'
import { whilePruned } from '../../domain/while-pruned.js'

/** What file systems say that do not let a folder be synced. */
const NO_FOLDER_SYNC = new Set(['EINVAL', 'ENOTSUP', 'EPERM', 'EISDIR'])

/** Flushes a file's content to the disk. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Flushes a folder's entries to the disk, so that a rename in it outlives a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } catch (thrown) {
    if (!NO_FOLDER_SYNC.has(errnoOf(thrown) ?? '')) throw thrown
  } finally {
    await handle.close()
  }
}

/** Makes a folder with its parents; a racing `pruneFolders` that removes one of them is made good. */
export async function makeFolder(path: string): Promise<void> {
  await whilePruned(() => mkdir(path, { recursive: true }))
}

/** Runs a rename or a link into a folder, making the folder first where it is missing, and flushes what changed. */
export async function inFolder<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const { first, result } = await whilePruned(async () => {
    const first = await mkdir(folder, { recursive: true })
    return { first, result: await work() }
  })
  await syncFolder(folder)
  if (first === undefined) return result
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made))
  return result
}

/** The same for what may be lost in a power cut. */
export async function inUnsyncedFolder<T>(folder: string, work: () => Promise<T>): Promise<T> {
  return whilePruned(async () => {
    await mkdir(folder, { recursive: true })
    return work()
  })
}

/** Removes a folder and its parents below `root` as long as they are empty. */
export async function pruneFolders(folder: string, root: string): Promise<void> {
  for (let at = folder; at.length > root.length && at.startsWith(root); at = dirname(at)) {
    try {
      await rmdir(at)
    } catch (thrown) {
      // ENOTEMPTY: in use. ENOENT: another remover was here, and its parents are still to do.
      if (errnoOf(thrown) !== 'ENOENT') return
    }
  }
}
