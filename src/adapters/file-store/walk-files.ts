import type { Dirent } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { orAbsent } from './file-failure.js'
import { TEMP } from './root-folder.js'

/**
 * The keys of all regular files below `root` that begin with `prefix`, in the byte order of whole keys (that of S3),
 * one folder in memory per level. Unfinished writes, links and other things are passed over.
 */
export async function* walkFiles(root: string, prefix: string): AsyncGenerator<string> {
  const start = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  if (!start.startsWith(`${TEMP}/`)) yield* walk(root, start, prefix)
}

async function* walk(root: string, folder: string, prefix: string): AsyncGenerator<string> {
  const entries = (await orAbsent(() => readdir(join(root, folder), { withFileTypes: true }))) ?? []
  for (const { key, isFolder } of inKeyOrder(folder, entries)) {
    if (!key.startsWith(prefix)) continue
    if (isFolder) yield* walk(root, key, prefix)
    else yield key
  }
}

/** A folder sorts by its name with the slash: `a-b` comes before `a/…`. */
function inKeyOrder(folder: string, entries: readonly Dirent[]): { key: string; isFolder: boolean }[] {
  return entries
    .filter((entry) => (entry.isFile() || entry.isDirectory()) && !(folder === '' && entry.name === TEMP))
    .map((entry) => ({ isFolder: entry.isDirectory(), key: `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}` }))
    .map((item) => ({ ...item, bytes: Buffer.from(item.key) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
}
