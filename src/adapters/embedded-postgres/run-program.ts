import { spawn } from 'node:child_process'
import { embeddedFailure } from './failure.js'

/** The operating system's user that the server and its tools run as; null when they run as ourselves. */
export type ServerUser = { readonly uid: number; readonly gid: number } | null

/** Nothing of our environment reaches the programs: PG* and LD_* variables of the caller would change what they do. */
export const PROGRAM_ENV = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', TZ: 'UTC' }

export type ProgramRun = { readonly code: number | null; readonly output: string }

/**
 * Runs a short program to its end in a session of its own, so that Ctrl-C in the terminal does not break it halfway.
 * @throws {EMBEDDED_FAILED} when it cannot be started or takes longer than `timeoutMs`
 */
export function runProgram(o: {
  file: string
  args: readonly string[]
  cwd: string
  user: ServerUser
  stdin?: string
  timeoutMs: number
}): Promise<ProgramRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(o.file, o.args, { cwd: o.cwd, env: PROGRAM_ENV, detached: true, ...(o.user ?? {}) })
    let output = ''
    let late = false
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-65_536)
    }
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, o.timeoutMs)
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.stdin.on('error', () => undefined)
    child.stdin.end(o.stdin ?? '')
    child.on('error', (cause) => {
      clearTimeout(timer)
      reject(embeddedFailure(`${o.file} cannot be run`, { at: o.file, cause, do: whyNot(cause) }))
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      if (late) reject(embeddedFailure(`${o.file} took longer than ${o.timeoutMs / 1000} s`, { at: o.cwd, output }))
      else resolve({ code, output })
    })
  })
}

function whyNot(cause: NodeJS.ErrnoException): string {
  // The kernel answers ENOENT too when the file is there and its loader is not: musl (Alpine) has no glibc loader.
  const needs = cause.code === 'ENOENT' ? 'the bundled PostgreSQL needs glibc: ' : ''
  return `${needs}set DATABASE_URL to a server of your own if this machine cannot run it`
}
