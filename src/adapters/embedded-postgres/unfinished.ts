import { readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { livenessOf, newProcessToken } from './process-token.js'

/** A name beside `path` to make a folder under, before it is renamed to `path`: it says who is at work on it. */
export const unfinishedName = (path: string): string => `${path}.new-${newProcessToken()}`

/** Removes what dead processes left unfinished beside `path`. */
export async function sweepUnfinished(path: string): Promise<void> {
  const prefix = `${basename(path)}.new-`
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(prefix) || livenessOf(name.slice(prefix.length)) !== 'dead') continue
    // A tool of the dead process may still be writing in there for a second: a later sweep gets what is left.
    await rm(join(dirname(path), name), { recursive: true, force: true }).catch(() => undefined)
  }
}
