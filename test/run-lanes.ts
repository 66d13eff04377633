import { fork, type ChildProcess } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { testFiles, type Counts } from './run-part.js'
import { findRedis } from './support/redis-program.js'

/** Half of the suite's time is waiting: for locks to run out, for servers to come back. More lanes than cores fill it. */
const LANES = Math.min(5, availableParallelism() + 1)

/** Acceptance tests take longest, and lie in one folder. */
const ACCEPTANCE_PARTS = 2

/** Test files that share a process, and the servers that it starts. */
type Part = { readonly name: string; readonly files: string[] }

/** Runs the whole suite, a part a process, some at a time; each line says whose it is. */
export async function runLanes(): Promise<Counts> {
  // Before there are two that would install it.
  if (process.env['TEST_REDIS_URL'] === undefined) findRedis()
  const waiting = parts()
  const counts = { passed: 0, failed: 0 }
  const lane = async (): Promise<void> => {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      const { passed, failed } = await runInProcess(part)
      counts.passed += passed
      counts.failed += failed
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return counts
}

/** Every test file is in one part; those with the most to wait for come first. */
function parts(): Part[] {
  const parts = new Map<string, string[]>()
  for (const [i, file] of testFiles().entries()) {
    const [whole = file, within = ''] = file.split('/')
    const name = whole === 'acceptance' ? `acceptance-${1 + (i % ACCEPTANCE_PARTS)}`
      : whole === 'integration' ? `integration/${within}` : whole
    parts.set(name, [...(parts.get(name) ?? []), file])
  }
  const first = ['acceptance-1', 'faults', 'acceptance-2', 'integration/lake', 'integration/workers']
  const names = [...first.filter((name) => parts.has(name)), ...[...parts.keys()].filter((name) => !first.includes(name))]
  return names.map((name) => ({ name, files: parts.get(name) ?? [] }))
}

async function runInProcess({ name, files }: Part): Promise<Counts> {
  const child = fork(join(dirname(import.meta.filename), 'run.js'), files, { silent: true })
  let counts: Counts | null = null
  child.on('message', (message) => (counts = message as Counts))
  prefixed(child, name)
  const ended = await new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)))
  if (counts) return counts
  console.error(`${name} | ended with ${String(ended)} before it counted its tests`)
  return { passed: 0, failed: 1 }
}

function prefixed(child: ChildProcess, part: string): void {
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on('line', (line) => console.log(`${part} | ${line}`))
  }
}
