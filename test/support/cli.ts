import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { removeEmbeddedPostgres } from '../../src/adapters/embedded-postgres/embedded-postgres.js'

const ROOT = resolve(import.meta.dirname, '../../..')
const BIN = join(ROOT, 'bin/candlelake.js')

export type Ended = { readonly code: number | null; readonly signal: string | null; readonly stdout: string; readonly stderr: string }

/** A running `candlelake` process; `ended` resolves when it is gone. */
export type Running = { readonly child: ChildProcess; readonly ended: Promise<Ended>; readonly output: () => string }

/** Settings of a home of its own; nothing of the caller's environment that the program reads is passed on. */
export type Home = { readonly dir: string; readonly env: Readonly<Record<string, string>>; remove(): Promise<void> }

/** A temporary CANDLELAKE_HOME; removes what the program left, the embedded database too. */
export async function temporaryHome(env: Readonly<Record<string, string>> = {}): Promise<Home> {
  const dir = await mkdtemp(join(tmpdir(), 'candlelake-home-'))
  return {
    dir,
    env: { CANDLELAKE_HOME: dir, ...env },
    remove: async () => {
      await removeEmbeddedPostgres({ home: dir })
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Starts the program as a person would, with this environment and nothing else of ours but PATH. */
export function startCli(args: readonly string[], env: Readonly<Record<string, string>>, cwd = tmpdir()): Running {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = new Promise<Ended>((done, fail) => {
    child.on('error', fail)
    child.on('close', (code, signal) => done({ code, signal, stdout, stderr }))
  })
  return { child, ended, output: () => stdout + stderr }
}

export const runCli = (args: readonly string[], env: Readonly<Record<string, string>>, cwd?: string): Promise<Ended> =>
  startCli(args, env, cwd).ended

/** The last line of stdout, as JSON. */
export function lastJson(ended: Ended): Record<string, unknown> {
  const line = ended.stdout.trim().split('\n').at(-1) ?? ''
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch (cause) {
    throw new Error(`no JSON in the last line of stdout: ${line}\n${ended.stderr}`, { cause })
  }
}
