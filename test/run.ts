/**
 * Runs the suite and ends with a line `N passed, N failed`: the whole of it, or, in one process, what arguments narrow it
 * to: parts of file paths, `--grep TEXT`.
 */
import { parseArgs } from 'node:util'
import { runLanes } from './run-lanes.js'
import { runPart } from './run-part.js'

const { values: { grep }, positionals: parts } = parseArgs({ options: { grep: { type: 'string' } }, allowPositionals: true })

const isWhole = parts.length === 0 && grep === undefined
const { passed, failed } = isWhole ? await runLanes() : await runPart({ parts, grep })
if (process.send) await new Promise((sent) => process.send?.({ passed, failed }, sent))
if (passed + failed === 0) console.error('no test matched')
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed > 0 || passed === 0 ? 1 : 0)
