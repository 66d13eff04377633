import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { livenessOf, newProcessToken } from './process-token.js'

/** How often a holder shows other hosts that it lives. */
export const HEARTBEAT_MS = 20_000
const ELSEWHERE_STALE_MS = 90_000

export type Holders = {
  /** Tokens of living holders on this host. */
  readonly here: readonly string[]
  /** Names of other hosts with a holder that showed life within the last 90 s. */
  readonly elsewhere: readonly string[]
}

/** Registers this process as a holder; the answer is the path of its file. */
export async function registerHolder(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const path = join(dir, newProcessToken())
  await writeFile(path, JSON.stringify({ pid: process.pid, host: hostname() }), { mode: 0o600 })
  return path
}

/** Renews the file's time; a file that is gone stays gone. */
export async function beat(path: string): Promise<void> {
  const now = new Date()
  await utimes(path, now, now).catch(() => undefined)
}

/** Who holds a share now; removes the files of holders that died without giving theirs back. */
export async function sweepHolders(dir: string): Promise<Holders> {
  const here: string[] = []
  const elsewhere: string[] = []
  for (const token of await readdir(dir).catch(() => [])) {
    const path = join(dir, token)
    const liveness = livenessOf(token)
    if (liveness === 'alive') here.push(token)
    else if (liveness === 'elsewhere' && (await beatRecently(path))) elsewhere.push(await hostOf(path))
    else await rm(path, { force: true })
  }
  return { here, elsewhere }
}

async function beatRecently(path: string): Promise<boolean> {
  const at = await stat(path).then((s) => s.mtimeMs, () => 0)
  return Date.now() - at < ELSEWHERE_STALE_MS
}

async function hostOf(path: string): Promise<string> {
  try {
    const { host } = JSON.parse(await readFile(path, 'utf8')) as { host?: unknown }
    return typeof host === 'string' ? host : 'unknown'
  } catch {
    return 'unknown'
  }
}
