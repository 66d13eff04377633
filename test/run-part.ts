import { readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import Mocha from 'mocha'
import { stopShared } from './support/shared.js'

export type Counts = { readonly passed: number; readonly failed: number }
/** Parts of file paths, of which a file must have one, and a part of the names of tests. */
export type Wanted = { readonly parts: readonly string[]; readonly grep: string | undefined }

const SHOWN_FILES = 12

/** Every test file's path below this folder, sorted. */
export const testFiles = (): string[] =>
  readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.js')).sort()

/** Runs some files in this process. Servers that tests share are started on first use and stopped at the end. */
export async function runPart({ parts, grep }: Wanted): Promise<Counts> {
  // In CI a test that fails gets one more try, and is named: machines there are shared, and real processes time out on them.
  const retries = process.env['CI'] ? 1 : 0
  const mocha = new Mocha({ timeout: 60_000, slow: 5_000, retries, ...(grep === undefined ? {} : { grep }) })
  for (const file of testFiles()) {
    if (parts.length === 0 || parts.some((part) => file.includes(part))) mocha.addFile(join(import.meta.dirname, file))
  }
  await mocha.loadFilesAsync()

  const counts = { passed: 0, failed: 0, pending: 0 }
  const runner = mocha.run()
  runner.on('pass', () => counts.passed++)
  runner.on('fail', () => counts.failed++)
  runner.on('retry', (test: Mocha.Test, error: Error) => console.error(`tried again: ${test.fullTitle()}: ${error.message}`))
  runner.on('pending', (test) => {
    counts.pending++
    console.error(`not run: ${test.fullTitle()}`)
  })
  const slowest = timedFiles(runner)
  await new Promise((resolve) => runner.on('end', resolve))
  await stopShared()

  console.log(`seconds: ${slowest().join(', ')}`)
  // Only the tests over real archive files may be left out, each by name above, and in CI none may: there it has failed.
  if (counts.pending > 0) console.error(`${counts.pending} not run: set REAL_ARCHIVE_DIR to a folder of archive files`)
  return { passed: counts.passed, failed: counts.failed + (process.env['CI'] ? counts.pending : 0) }
}

/** Of each file the seconds with its hooks; the slowest ones first. */
function timedFiles(runner: Mocha.Runner): () => string[] {
  const tookMs = new Map<string, number>()
  let markMs = performance.now()
  runner.on('suite end', (suite) => {
    if (suite.parent?.root !== true) return
    const name = relative(import.meta.dirname, suite.file ?? '')
    const nowMs = performance.now()
    tookMs.set(name, (tookMs.get(name) ?? 0) + nowMs - markMs)
    markMs = nowMs
  })
  return () => [...tookMs].sort(([, a], [, b]) => b - a).slice(0, SHOWN_FILES)
    .map(([name, ms]) => `${name} ${Math.round(ms / 1_000)}`)
}
