import { fork, type ChildProcess } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { testFiles, type Counts } from './run-part.js'
import { findRedis } from './support/redis-program.js'

/** Half of the suite's time is waiting: for locks to run out, for servers to come back. More lanes than cores fill it. */
const LANES = Math.min(5, availableParallelism() + 1)

/** Runs the whole suite, a folder a process, some at a time; each line says whose it is. */
export async function runLanes(): Promise<Counts> {
  // Before there are two that would install it.
  if (process.env['TEST_REDIS_URL'] === undefined) findRedis()
  const waiting = folders()
  const counts = { passed: 0, failed: 0 }
  const lane = async (): Promise<void> => {
    for (let folder = waiting.shift(); folder !== undefined; folder = waiting.shift()) {
      const { passed, failed } = await runFolder(folder)
      counts.passed += passed
      counts.failed += failed
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return counts
}

/** Folders of test files, those with the most to wait for first. The largest is split into the folders in it. */
function folders(): string[] {
  const found = [...new Set(testFiles().map((file) => dirname(file)).map((folder) => {
    const [whole = folder, part] = folder.split('/')
    return whole === 'integration' && part !== undefined ? `${whole}/${part}` : whole
  }))]
  const first = ['acceptance', 'faults', 'integration/lake', 'integration/workers']
  return [...first.filter((name) => found.includes(name)), ...found.filter((name) => !first.includes(name))]
}

async function runFolder(folder: string): Promise<Counts> {
  const child = fork(join(dirname(import.meta.filename), 'run.js'), [`${folder}/`], { silent: true })
  let counts: Counts | null = null
  child.on('message', (message) => (counts = message as Counts))
  prefixed(child, folder)
  const ended = await new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)))
  if (counts) return counts
  console.error(`${folder} | ended with ${String(ended)} before it counted its tests`)
  return { passed: 0, failed: 1 }
}

function prefixed(child: ChildProcess, folder: string): void {
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on('line', (line) => console.log(`${folder} | ${line}`))
  }
}
