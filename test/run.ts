/**
 * Runs the suite and ends with a line `N passed, N failed`. Arguments narrow it: parts of file paths, `--grep TEXT`.
 * Servers that tests share are started on first use (`support/shared.ts`) and stopped here.
 */
import { readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import Mocha from 'mocha'
import { stopShared } from './support/shared.js'

const { values, positionals } = parseArgs({ options: { grep: { type: 'string' } }, allowPositionals: true })

const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.js'))
  .filter((name) => positionals.length === 0 || positionals.some((part) => name.includes(part)))
  .sort()

// In CI a test that fails gets one more try, and is named: machines there are shared, and real processes time out on them.
const retries = process.env['CI'] ? 1 : 0
const mocha = new Mocha({ timeout: 60_000, slow: 5_000, retries, ...(values.grep === undefined ? {} : { grep: values.grep }) })
for (const file of files) mocha.addFile(join(import.meta.dirname, file))
await mocha.loadFilesAsync()

const counts = { passed: 0, failed: 0, pending: 0 }
const tookMs = new Map<string, number>()
let markedMs = performance.now()
const runner = mocha.run()
runner.on('pass', () => counts.passed++)
runner.on('fail', () => counts.failed++)
runner.on('retry', (test: Mocha.Test, error: Error) => console.error(`tried again: ${test.fullTitle()}: ${error.message}`))
runner.on('suite end', (suite) => {
  if (suite.parent?.root !== true) return
  const name = relative(import.meta.dirname, suite.file ?? suite.title)
  tookMs.set(name, (tookMs.get(name) ?? 0) + performance.now() - markedMs)
  markedMs = performance.now()
})
runner.on('pending', (test) => {
  counts.pending++
  console.error(`not run: ${test.fullTitle()}`)
})
await new Promise((resolve) => runner.on('end', resolve))
await stopShared()

const slowest = [...tookMs].sort(([, a], [, b]) => b - a).slice(0, 25)
if (slowest.length > 20) console.log(`seconds: ${slowest.map(([name, ms]) => `${name} ${Math.round(ms / 1_000)}`).join(', ')}`)

// Only the tests over real archive files may be left out, each by name above, and in CI none may: there it has failed.
const failed = counts.failed + (process.env['CI'] ? counts.pending : 0)
if (counts.pending > 0) console.error(`${counts.pending} not run: set REAL_ARCHIVE_DIR to a folder of archive files`)
if (counts.passed + failed === 0) console.error('no test matched')
console.log(`${counts.passed} passed, ${failed} failed`)
process.exit(failed > 0 || counts.passed === 0 ? 1 : 0)
