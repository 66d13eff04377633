import { execFileSync, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { acquireEmbeddedPostgres, removeEmbeddedPostgres } from '../../src/adapters/embedded-postgres/embedded-postgres.js'

const ROOT = resolve(import.meta.dirname, '../../..')
const BIN = join(ROOT, 'bin/candlelake.js')

/** Programs that were started and have not ended. */
const alive = new Set<{ readonly child: ChildProcess; readonly ended: Promise<unknown>; readonly home: string | undefined }>()
process.once('exit', () => alive.forEach(({ child }) => child.kill('SIGKILL')))

export type Ended = { readonly code: number | null; readonly signal: string | null; readonly stdout: string; readonly stderr: string }

/** A running `candlelake` process; `ended` resolves when it is gone. */
export type Running = { readonly child: ChildProcess; readonly ended: Promise<Ended>; readonly output: () => string }

/** Settings of a home of its own; nothing of the caller's environment that the program reads is passed on. */
export type Home = { readonly dir: string; readonly env: Readonly<Record<string, string>>; remove(): Promise<void> }

export type CliOptions = {
  readonly cwd?: string
  /** What the program reads from stdin; nothing when left out. */
  readonly stdin?: string
  /** Another checkout than this one. */
  readonly root?: string
  readonly user?: { readonly uid: number; readonly gid: number }
  /** In a session of its own, as a terminal's shell starts it. */
  readonly detached?: boolean
}

/**
 * A temporary CANDLELAKE_HOME; removes what the program left, the embedded database too. With `up` the database runs all
 * the while, for tests of what every command would else start and stop it for.
 */
export async function temporaryHome(env: Readonly<Record<string, string>> = {}, o: { up?: boolean } = {}): Promise<Home> {
  const dir = await mkdtemp(join(tmpdir(), 'candlelake-home-'))
  const share = o.up === true ? await acquireEmbeddedPostgres({ home: dir }) : null
  return {
    dir,
    env: { CANDLELAKE_HOME: dir, ...env },
    remove: async () => {
      // What a failed test left running would hold the database.
      for (const one of [...alive].filter(({ home }) => home === dir)) {
        one.child.kill('SIGKILL')
        await one.ended
      }
      await share?.release()
      await removeHome(dir)
    },
  }
}

/** Removes a home and its embedded database, which may lie outside it. */
export async function removeHome(dir: string): Promise<void> {
  await removeEmbeddedPostgres({ home: dir })
  await rm(dir, { recursive: true, force: true })
}

/** Starts the program as a person would, with this environment and nothing else of ours but PATH. */
export function startCli(args: readonly string[], env: Readonly<Record<string, string>>, o: CliOptions = {}): Running {
  const bin = o.root === undefined ? BIN : join(o.root, 'bin/candlelake.js')
  return start(process.execPath, [bin, ...args], env, o)
}

export const runCli = (args: readonly string[], env: Readonly<Record<string, string>>, o?: CliOptions): Promise<Ended> =>
  startCli(args, env, o).ended

/** The program at a terminal of its own, 100 by 30; `type('\x03')` is Ctrl-C there. stdout holds all that the terminal shows. */
export function startAtTerminal(args: readonly string[], env: Readonly<Record<string, string>>): Running & { type(keys: string): void } {
  const quoted = [process.execPath, BIN, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
  const command = `stty cols 100 rows 30 && exec ${quoted}`
  const words = process.platform === 'darwin' ? ['-q', '/dev/null', 'sh', '-c', command] : ['-q', '-f', '-e', '-c', command, '/dev/null']
  const running = start('script', words, { TERM: 'xterm', ...env }, { stdin: null })
  return { ...running, type: (keys) => void running.child.stdin?.write(keys) }
}

function start(
  program: string, args: readonly string[], env: Readonly<Record<string, string>>, o: Omit<CliOptions, 'stdin'> & { stdin?: string | null },
): Running {
  const options: SpawnOptions = {
    cwd: o.cwd ?? tmpdir(),
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...env },
    stdio: [o.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    detached: o.detached ?? false,
    ...o.user,
  }
  const child = spawn(program, args, options)
  if (typeof o.stdin === 'string') child.stdin?.end(o.stdin)
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = new Promise<Ended>((done, fail) => {
    child.on('error', fail)
    child.on('close', (code, signal) => done({ code, signal, stdout, stderr }))
  })
  const one = { child, ended: ended.catch(() => undefined), home: env['CANDLELAKE_HOME'] }
  alive.add(one)
  void one.ended.then(() => alive.delete(one))
  return { child, ended, output: () => stdout + stderr }
}

/** The last line of stdout, as JSON. */
export function lastJson(ended: Ended): Record<string, unknown> {
  const line = ended.stdout.trim().split('\n').at(-1) ?? ''
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch (cause) {
    throw new Error(`no JSON in the last line of stdout: ${line}\n${ended.stderr}`, { cause })
  }
}

/** Every line of a text, as JSON. */
export const jsonLines = (text: string): Record<string, unknown>[] =>
  text.trim().split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>)

/** What `backfill --json` ends with. */
export type Summary = {
  readonly v: number
  readonly type: string
  readonly run: string
  readonly partitions: Readonly<Record<string, number>>
  readonly rows: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly seconds: number
}

export const summaryOf = (ended: Ended): Summary => lastJson(ended) as Summary

/** The error that `--json` prints on stderr. */
export function errorOf(ended: Ended): { code: string; message: string; at: string | null; do: string | null; type: string } {
  const line = ended.stderr.trim().split('\n').at(-1) ?? ''
  return JSON.parse(line) as ReturnType<typeof errorOf>
}

/** Waits until something is so, looked at ten times a second; gives what it was. */
export async function until<T>(what: string, look: () => T | Promise<T>, timeoutMs = 90_000): Promise<NonNullable<T>> {
  for (const end = Date.now() + timeoutMs; Date.now() < end; await sleep(100)) {
    const found = await look()
    if (found) return found
  }
  throw new Error(`waited ${timeoutMs} ms in vain: ${what}`)
}

/** Waits until a process printed something that matches, and gives the match; fails at once when it ends without. */
export async function printed(running: Running, pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray> {
  let over: Ended | null = null
  void running.ended.then((ended) => (over = ended), () => undefined)
  return await until(`${String(pattern)} in its output`, () => {
    const found = pattern.exec(running.output())
    if (found === null && over !== null) throw new Error(`it ended without ${String(pattern)}: ${running.output()}`)
    return found
  }, timeoutMs)
}

/** Files below a folder, as paths relative to it; none where it does not exist. */
export const filesBelow = (dir: string): string[] => !existsSync(dir) ? [] :
  readdirSync(dir, { recursive: true, withFileTypes: true, encoding: 'utf8' }).filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1)).sort()

/** Command lines of living processes that mention a text. */
export function processesWith(text: string): string[] {
  const lines = existsSync('/proc/self/cmdline') ? commandLines() : execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n')
  return lines.filter((line) => line.includes(text))
}

const commandLines = (): string[] => readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((pid) => {
  try {
    return `${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()}`
  } catch {
    return pid // gone meanwhile
  }
})

/** Whether a process runs; one that died and waits for its parent does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !existsSync('/proc/self/status') || !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
