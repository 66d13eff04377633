import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export type Acquired = {
  readonly adopted: boolean
  readonly dataDir: string
  readonly lines: readonly string[]
  readonly connection: Readonly<{ host: string; port: number; user: string; password: string }>
}
export type Failed = Readonly<{ code: string; message: string; facts: Readonly<Record<string, string | number>> }>
export type Options = {
  readonly home: string
  /** Where the compiled project lies; by default this one. */
  readonly root?: string
  readonly user?: { readonly uid: number; readonly gid: number }
  readonly ignoreSigint?: boolean
  /** Its umask takes every right of others away. */
  readonly secretive?: boolean
  /** Its folder for temporary files. */
  readonly temporary?: string
}

/** A process with a session of its own that runs `holder-process.js`. */
export interface Holder {
  readonly pid: number
  ask<T>(command: string): Promise<T>
  askForFailure(command: string): Promise<Failed>
  /** To the whole process group, as a terminal does. */
  signalGroup(signal: NodeJS.Signals): void
  killed(signal: NodeJS.Signals): Promise<void>
  /** Ends its input; the answer is its exit code. */
  end(): Promise<number | null>
}

const running = new Set<ChildProcess>()

export const PROJECT = join(import.meta.dirname, '../../../..')

export function startHolder(o: Options): Holder {
  const script = join(o.root ?? PROJECT, 'dist/test/integration/embedded-postgres/holder-process.js')
  const args = [script, o.home, ...(o.ignoreSigint === true ? ['ignore-sigint'] : []), ...(o.secretive === true ? ['secretive'] : [])]
  const env = { PATH: process.env['PATH'], ...(o.temporary === undefined ? {} : { TMPDIR: o.temporary }) }
  const child = spawn(process.execPath, args, {
    cwd: '/', detached: true, stdio: ['pipe', 'pipe', 'inherit'], env, ...o.user,
  })
  running.add(child)
  const ended = once(child, 'exit').finally(() => running.delete(child))
  child.stdin.on('error', () => undefined)
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const say = async (command: string): Promise<{ ok?: unknown; error?: Failed }> => {
    child.stdin.write(`${command}\n`)
    const { value } = (await answers.next()) as { value?: string }
    if (value === undefined) throw new Error(`the holder ended before it answered ${command}`)
    return JSON.parse(value) as { ok?: unknown; error?: Failed }
  }
  return {
    pid: child.pid ?? 0,
    async ask<T>(command: string): Promise<T> {
      const { ok, error } = await say(command)
      if (error !== undefined) throw new Error(`${command}: ${JSON.stringify(error)}`)
      return ok as T
    },
    async askForFailure(command) {
      const { ok, error } = await say(command)
      if (error === undefined) throw new Error(`${command} did not fail: ${JSON.stringify(ok)}`)
      return error
    },
    signalGroup: (signal) => void process.kill(-(child.pid ?? 0), signal),
    async killed(signal) {
      child.kill(signal)
      await ended
    },
    async end() {
      child.stdin.end()
      await ended
      return child.exitCode
    },
  }
}

/** Kills what a failed test left; for `afterEach`. */
export async function killHolders(): Promise<void> {
  await Promise.all([...running].map(async (child) => {
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }))
}

/** The pid in `postmaster.pid`, or null without the file. */
export function serverPidOf(dataDir: string): number | null {
  try {
    return Number(readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n')[0])
  } catch {
    return null
  }
}

/** Whether a process runs; one that died and waits for its parent does not. */
export function runs(pid: number): boolean {
  try {
    process.kill(pid, 0)
    if (process.platform !== 'linux') return true
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
