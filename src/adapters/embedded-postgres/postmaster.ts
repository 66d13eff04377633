import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { constants, open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { embeddedFailure } from './failure.js'
import { commandOf, isRunning } from './process-token.js'

/** A server process at work on a data directory. */
export type Postmaster = { readonly pid: number; readonly socketDir: string }

/** What `postmaster.pid` says, whether or not that process runs; null without the file. */
export async function postmasterFileOf(dataDir: string): Promise<Postmaster | null> {
  const file = await open(join(dataDir, 'postmaster.pid'), constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => null)
  if (file === null) return null
  const lines = (await file.readFile('utf8').finally(() => file.close())).split('\n')
  const pid = Number(lines[0])
  return Number.isSafeInteger(pid) && pid > 1 ? { pid, socketDir: lines[4] ?? '' } : null
}

/** The running server of a data directory, or null. */
export async function postmasterOf(dataDir: string): Promise<Postmaster | null> {
  const file = await postmasterFileOf(dataDir)
  return file !== null && isPostmasterOf(dataDir, file.pid) ? file : null
}

/** Whether the process serves this directory: after a crash the pid in the file may belong to anyone. */
export function isPostmasterOf(dataDir: string, pid: number): boolean {
  if (!isRunning(pid)) return false
  const command = commandOf(pid)
  if (command === null || !/\bpostgres\b/.test(command)) return false
  return command.includes(`-D ${dataDir} `) || cwdOf(pid) === dataDir
}

/**
 * Ends a server: fast (clients are cut off, data written), and where that takes too long, immediately
 * (the next start recovers). Signals instead of `pg_ctl stop`, which does the same and needs the program's files,
 * that an `npm ci` may just have removed.
 * @throws {EMBEDDED_FAILED} when it survives both
 */
export async function stopPostmaster(dataDir: string, pid: number, fastMs = 60_000): Promise<void> {
  for (const [signal, waitMs] of [['SIGINT', fastMs], ['SIGQUIT', 10_000], ['SIGKILL', 5_000]] as const) {
    if (!isPostmasterOf(dataDir, pid)) return
    signalTo(pid, signal)
    if (await goneWithin(pid, waitMs)) return
  }
  throw embeddedFailure(`the server, process ${pid}, does not stop`, { at: dataDir })
}

async function goneWithin(pid: number, waitMs: number): Promise<boolean> {
  const deadline = Date.now() + waitMs
  while (isRunning(pid)) {
    if (Date.now() > deadline) return false
    await sleep(10)
  }
  return true
}

/**
 * Ends the server processes that outlived their killed postmaster, as a long query does: while one is attached to the
 * shared memory, no new server starts. Only on Linux can they be told apart from other servers' processes;
 * elsewhere the caller has to wait for them.
 */
export async function endLeftBehind(dataDir: string): Promise<void> {
  if (process.platform !== 'linux') return
  const left = readdirSync('/proc').map(Number).filter((pid) => pid > 1 && isLeftBehind(dataDir, pid))
  for (const pid of left) signalTo(pid, 'SIGKILL')
  for (const pid of left) await goneWithin(pid, 5_000)
}

function isLeftBehind(dataDir: string, pid: number): boolean {
  try {
    return (
      cwdOf(pid) === dataDir &&
      statSync(`/proc/${pid}`).uid === statSync(dataDir).uid &&
      readFileSync(`/proc/${pid}/comm`, 'latin1').trim() === 'postgres'
    )
  } catch {
    return false
  }
}

function cwdOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return null
  }
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'ESRCH') throw e
  }
}
