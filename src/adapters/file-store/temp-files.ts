import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../domain/errno.js'
import { orAbsent } from './file-failure.js'
import { tempFolderOf } from './root-folder.js'

/** No write takes this long: what is older was left by a writer that died. */
export const STALE_MS = 86_400_000

/** Makes the folder of unfinished files in the root's file system. */
export async function makeTemp(root: string): Promise<void> {
  try {
    // Not recursive: where the root itself is gone, a folder under a mount point would be made in its place.
    await mkdir(tempFolderOf(root))
  } catch (thrown) {
    if (errnoOf(thrown) !== 'EEXIST') throw thrown
  }
}

/** The path of a new unfinished file; nothing is made there yet. */
export const tempPath = (root: string): string => join(tempFolderOf(root), `${randomUUID()}.part`)

/** Removes what writers that died left unfinished, older than `olderThanMs`. Gives how many entries it removed. */
export async function sweepTemp(root: string, olderThanMs: number): Promise<number> {
  const folder = tempFolderOf(root)
  let swept = 0
  for (const name of (await orAbsent(() => readdir(folder))) ?? []) {
    const path = join(folder, name)
    const stats = await orAbsent(() => stat(path))
    if (!stats || Date.now() - stats.mtimeMs < olderThanMs) continue
    await rm(path, { recursive: true, force: true })
    swept++
  }
  return swept
}
