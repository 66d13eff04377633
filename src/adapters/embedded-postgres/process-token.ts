import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'

/**
 * The name of one process for ever, fit for a file name: `<pid>-<start>-<host>-<nonce>`.
 * A pid alone is used again after a reboot, and within seconds in a container.
 */
export type ProcessToken = string

export type Liveness = 'alive' | 'dead' | 'elsewhere'

type Sighting = { readonly start: string; readonly dead: boolean }

const TOKEN = /^(\d+)-([0-9a-z.]+)-([0-9a-f]{8})-[0-9a-f]{12}$/

const hostHash = (): string => createHash('sha256').update(hostname()).digest('hex').slice(0, 8)

let ownStart: string | null = null

/** A new token of this process; every call gives another one, so that one process can hold several shares. */
export function newProcessToken(): ProcessToken {
  ownStart ??= sightingOf(process.pid)?.start ?? '0'
  return `${process.pid}-${ownStart}-${hostHash()}-${randomBytes(6).toString('hex')}`
}

/** Whether the process that made the token still runs; `elsewhere` when it is another host's: nobody here can tell. */
export function livenessOf(token: ProcessToken): Liveness {
  const [, pid, start, host] = TOKEN.exec(token) ?? []
  if (pid === undefined || start === undefined) return 'dead'
  if (host !== hostHash()) return 'elsewhere'
  const seen = sightingOf(Number(pid))
  if (seen === null || seen.dead) return 'dead'
  return start === '0' || seen.start === start ? 'alive' : 'dead'
}

/** Whether a process of this pid runs here; one that is dead and only waits for its parent does not count. */
export function isRunning(pid: number): boolean {
  const seen = sightingOf(pid)
  return seen !== null && !seen.dead
}

/** Whether the pid is taken, also by a process that is dead and waits for its parent: what kill(2) goes by. */
export const isTaken = (pid: number): boolean => sightingOf(pid) !== null

/** The command line of a running process, arguments joined by spaces, or null. */
export function commandOf(pid: number): string | null {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
    return ps(pid, 'command=')
  } catch {
    return null
  }
}

function sightingOf(pid: number): Sighting | null {
  try {
    return process.platform === 'linux' ? fromProc(pid) : fromPs(pid)
  } catch {
    return null
  }
}

function fromProc(pid: number): Sighting {
  // The command, field 2, may hold spaces and brackets; what follows its last bracket is state, ppid, ...
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { start: `${fields[19] ?? '0'}.${bootId()}`, dead: fields[0] === 'Z' || fields[0] === 'X' }
}

let boot: string | null = null

function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8)
  return boot
}

function fromPs(pid: number): Sighting {
  const [state, ...started] = ps(pid, 'state=,lstart=').split(/\s+/)
  return { start: String(Date.parse(`${started.join(' ')} UTC`) || 0), dead: state?.startsWith('Z') === true }
}

function ps(pid: number, columns: string): string {
  const env = { PATH: '/bin:/usr/bin', LC_ALL: 'C', TZ: 'UTC' }
  return execFileSync('ps', ['-o', columns, '-p', String(pid)], { env, encoding: 'utf8', timeout: 5_000 }).trim()
}
