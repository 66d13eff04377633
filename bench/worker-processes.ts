import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../../bin/candlelake.js', import.meta.url))
const UP_MS = 60_000

/** Workers of the program itself, each a process with an engine process of its own. */
export type WorkerProcesses = { stop(): Promise<void> }

/** Whether a process can be kept on one core here; without it, a worker and its engine process spread over two. */
export const canPin = (): boolean => spawnSync('taskset', ['-c', '0', 'true']).status === 0

/** Starts `count` workers, the first on core 0 and so on where processes can be pinned, and waits until they take jobs. */
export async function startWorkerProcesses(
  count: number, env: Readonly<Record<string, string>>, pinned: boolean,
): Promise<WorkerProcesses> {
  const children = Array.from({ length: count }, (_, core) => {
    const command = [...(pinned ? ['taskset', '-c', String(core)] : []), process.execPath, PROGRAM, 'worker'] as const
    return spawn(command[0], command.slice(1), { env: { PATH: process.env['PATH'], ...env }, stdio: ['ignore', 'ignore', 'pipe'] })
  })
  await Promise.all(children.map(takesJobs))
  return { stop: async () => void (await Promise.all(children.map(end))) }
}

async function takesJobs(child: ChildProcess): Promise<void> {
  let said = ''
  await new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`a worker is not up after ${UP_MS} ms: ${said}`)), UP_MS)
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2_000)
      if (!/takes jobs/.test(said)) return
      clearTimeout(late)
      resolve()
    })
    child.once('exit', (code, signal) => {
      clearTimeout(late)
      reject(new Error(`a worker ended with ${signal ?? code ?? 'nothing'}: ${said}`))
    })
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await gone
}
