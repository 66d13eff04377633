import { readdir, readFile, realpath, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, sep } from 'node:path'
import type { Place } from './place.js'
import { postmasterOf, stopPostmaster } from './postmaster.js'

/**
 * As root the databases lie outside the homes and outlive them. Removes those whose home lay in the temporary folder
 * and is gone (a killed demo or test: nothing can ever lead to them again). Of one that an earlier home of the same
 * path left, it tells only, because a person's data are not ours to delete. Call it before a database is made.
 */
export async function sweepAbandoned(place: Place, log: (line: string) => void): Promise<void> {
  const all = dirname(place.baseDir)
  const temporary = await realpath(tmpdir()).catch(() => tmpdir())
  for (const id of await readdir(all)) {
    const baseDir = join(all, id)
    if (baseDir === place.baseDir) continue
    const home = (await readFile(join(baseDir, 'home'), 'utf8').catch(() => '')).trim()
    if (home === place.home) log(`an earlier ${home} left its database in ${baseDir}: remove it if nobody needs it`)
    else if (home.startsWith(temporary + sep) && (await isGone(home))) await remove(baseDir)
  }
}

const isGone = (path: string): Promise<boolean> =>
  stat(path).then(() => false, (e: NodeJS.ErrnoException) => e.code === 'ENOENT')

async function remove(baseDir: string): Promise<void> {
  const dataDir = join(baseDir, 'data')
  const running = await postmasterOf(dataDir)
  if (running !== null) await stopPostmaster(dataDir, running.pid)
  await rm(baseDir, { recursive: true, force: true })
}
