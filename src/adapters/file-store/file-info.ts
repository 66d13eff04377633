import type { BigIntStats } from 'node:fs'
import { lstat } from 'node:fs/promises'
import type { ObjectInfo } from '../../domain/ports/object-store.js'
import type { ObjectKey } from '../../domain/names.js'
import { orAbsent } from './file-failure.js'

/** What an object's file says of it. */
export const infoOf = (key: ObjectKey, stats: BigIntStats): ObjectInfo => ({
  key,
  bytes: Number(stats.size),
  etag: `${stats.size.toString(16)}-${stats.mtimeNs.toString(16)}-${stats.ino.toString(16)}`,
  lastModified: stats.mtime,
})

/** The stats of a regular file; null for a folder, a link and nothing at all. */
export async function statFile(path: string): Promise<BigIntStats | null> {
  const stats = await orAbsent(() => lstat(path, { bigint: true }))
  return stats?.isFile() ? stats : null
}

let last = 0

/**
 * The present time for a new file, seconds, never the same twice in a process. The kernel's own stamp is that of its
 * last tick (2,000 files made in a row shared 22 stamps), and inodes are used again: two contents could have one ETag.
 */
export function freshStamp(): number {
  const now = Math.floor((performance.timeOrigin + performance.now()) * 1_000)
  last = Math.max(now, last + 1)
  return last / 1_000_000
}
