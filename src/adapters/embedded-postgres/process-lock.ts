import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PipelineError } from '../../domain/errors.js'
import { livenessOf, newProcessToken } from './process-token.js'

/** A process of another host cannot be looked at; no work under the lock takes this long. */
const ELSEWHERE_STALE_MS = 5 * 60_000

export type LockOptions = { readonly dir: string; readonly waitMs: number }

/**
 * Runs `work` while no other process on this host is inside for the same `dir`; survives a kill -9 of the owner.
 *
 * The lock is a directory that holds one file, named after its owner. It is taken by renaming a directory that already
 * holds our file onto it, which the kernel does only if the target is absent or empty, so the owner is never unnamed.
 * A dead owner is removed by unlinking the file *of that name*: whoever comes too late unlinks nothing, so two takers
 * cannot both win. (An O_EXCL file that is read and then unlinked or renamed away lets a late taker remove the lock
 * of the one who was faster; Node has no flock.)
 * @throws {EMBEDDED_FAILED} when a living process keeps it longer than `waitMs`
 */
export async function withProcessLock<T>(o: LockOptions, work: () => Promise<T>): Promise<T> {
  const token = newProcessToken()
  await take(o, token)
  try {
    return await work()
  } finally {
    await rm(join(o.dir, token), { force: true })
  }
}

async function take(o: LockOptions, token: string): Promise<void> {
  const mine = `${o.dir}.${token}`
  const deadline = Date.now() + o.waitMs
  await mkdir(mine, { mode: 0o700 })
  try {
    await writeFile(join(mine, token), '')
    while (!(await renameOntoEmpty(mine, o.dir))) {
      const owner = await sweepDeadOwners(o.dir)
      if (owner === null) continue
      if (Date.now() > deadline) throw stillHeld(o, owner)
      await sleep(10 + Math.random() * 30)
    }
  } catch (e) {
    await rm(mine, { recursive: true, force: true })
    throw e
  }
  await sweepDeadWaiters(o.dir)
}

async function renameOntoEmpty(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (e) {
    const code = (e as NodeJS.ErrnoException).code
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false
    throw e
  }
}

/** The living owner, or null when nobody holds the lock any more. */
async function sweepDeadOwners(dir: string): Promise<string | null> {
  for (const owner of await namesIn(dir)) {
    if (!(await isStale(join(dir, owner), owner))) return owner
    await rm(join(dir, owner), { force: true })
  }
  return null
}

async function sweepDeadWaiters(dir: string): Promise<void> {
  const prefix = `${basename(dir)}.`
  for (const name of await namesIn(dirname(dir))) {
    if (!name.startsWith(prefix)) continue
    const path = join(dirname(dir), name)
    if (await isStale(path, name.slice(prefix.length))) await rm(path, { recursive: true, force: true })
  }
}

async function isStale(path: string, token: string): Promise<boolean> {
  const liveness = livenessOf(token)
  if (liveness !== 'elsewhere') return liveness === 'dead'
  const made = await stat(path).then((s) => s.mtimeMs, () => Date.now())
  return Date.now() - made > ELSEWHERE_STALE_MS
}

async function namesIn(dir: string): Promise<string[]> {
  return readdir(dir).catch((e: NodeJS.ErrnoException) => {
    if (e.code === 'ENOENT') return []
    throw e
  })
}

function stillHeld(o: LockOptions, owner: string): PipelineError {
  const pid = Number(owner.split('-')[0])
  const seconds = Math.round(o.waitMs / 1000)
  return new PipelineError('EMBEDDED_FAILED', `process ${pid} has held ${o.dir} for more than ${seconds} s`, {
    at: o.dir,
    pid,
    do: `look at process ${pid}: it should start or stop the embedded database within seconds`,
  })
}
