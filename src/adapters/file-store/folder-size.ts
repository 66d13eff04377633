import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { orAbsent } from './file-failure.js'

/** Bytes of all regular files below a folder, and when anything in it last changed; null when there is none. */
export async function folderSize(path: string): Promise<{ bytes: number; changed: Date } | null> {
  const stats = await orAbsent(() => lstat(path))
  if (!stats) return null
  let bytes = stats.isFile() ? stats.size : 0
  let changed = stats.mtime
  if (!stats.isDirectory()) return { bytes, changed }
  for (const name of (await orAbsent(() => readdir(path))) ?? []) {
    const inner = await folderSize(join(path, name))
    if (!inner) continue
    bytes += inner.bytes
    if (inner.changed > changed) changed = inner.changed
  }
  return { bytes, changed }
}
