import { readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Dirent } from 'node:fs'
import type { Bucket } from './bucket.js'
import { isAbsent } from './errno.js'
import { compareKeys } from './key-order.js'

/** What to walk: keys that begin with `prefix` and lie after `after` ('' for all). */
export type Walk = {
  readonly prefix: string
  readonly after: string
  /** A folder below the prefix stands for all its keys: one key of it is given, and the rest skipped. */
  readonly collapse: boolean
  readonly hides: (key: string) => boolean
}

type Child = { readonly name: string; readonly folder: boolean }

/**
 * The bucket's keys in UTF-8 byte order, read folder by folder and only as far as they are asked for.
 * Only `data` is walked. A folder sorts as its name with `/`, which is what all keys in it go on with.
 */
export async function* walkKeys(bucket: Bucket, w: Walk): AsyncGenerator<string> {
  const path = await bucket.resolve('data')
  if (path !== null && mayHold('data/', w)) yield* walkFolder(bucket, w, { key: 'data/', path, above: [] })
}

type Folder = { readonly key: string; readonly path: string; readonly above: readonly string[] }

async function* walkFolder(bucket: Bucket, w: Walk, folder: Folder): AsyncGenerator<string> {
  // A link to a folder above would be an endless one.
  if (folder.above.includes(folder.path)) return
  for (const child of await childrenOf(bucket, folder)) {
    const key = folder.key + child.name
    if (!child.folder) {
      if (key.startsWith(w.prefix) && compareKeys(key, w.after) > 0 && !w.hides(key)) yield key
      continue
    }
    if (!mayHold(key, w)) continue
    const path = await bucket.resolve(key.slice(0, -1))
    if (path === null) continue
    const keys = walkFolder(bucket, w, { key, path, above: [...folder.above, folder.path] })
    if (w.collapse && key.startsWith(w.prefix) && key.length > w.prefix.length) {
      const first = await keys.next()
      if (!first.done) yield first.value
    } else {
      yield* keys
    }
  }
}

/** Whether a folder's key, which ends in `/`, can begin a key that is wanted. */
function mayHold(folderKey: string, w: Walk): boolean {
  if (!folderKey.startsWith(w.prefix) && !w.prefix.startsWith(folderKey)) return false
  return w.after.startsWith(folderKey) ? !(w.collapse && w.after === folderKey) : compareKeys(folderKey, w.after) > 0
}

async function childrenOf(bucket: Bucket, folder: Folder): Promise<Child[]> {
  const entries = await readdir(folder.path, { withFileTypes: true }).catch((thrown: unknown) => {
    if (isAbsent(thrown)) return []
    throw thrown
  })
  const children: Child[] = []
  for (const entry of entries) {
    const kind = entry.isSymbolicLink() ? await kindOfLink(bucket, folder, entry) : entry
    if (kind?.isDirectory()) children.push({ name: `${entry.name}/`, folder: true })
    else if (kind?.isFile()) children.push({ name: entry.name, folder: false })
  }
  return children.sort((a, b) => compareKeys(a.name, b.name))
}

async function kindOfLink(bucket: Bucket, folder: Folder, entry: Dirent) {
  const path = await realpath(join(folder.path, entry.name)).catch(() => null)
  return path !== null && bucket.holds(path) ? stat(path).catch(() => null) : null
}
