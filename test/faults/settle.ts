import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { asPipelineError } from '../../src/domain/errors.js'
import { MARKER, parseLakeKey } from '../../src/domain/names.js'
import { whilePruned } from '../../src/domain/while-pruned.js'
import { until, type Rig } from './rig.js'

/** Long enough for a lost lock, a sweep's quiet time and a backoff on a machine that others use too. */
const WORK_MS = 90_000
const SWEEP_MS = 20_000

/** Waits until nothing is left to be done and swept; gives what did not come to its end. */
export async function settle(rig: Rig, ms = WORK_MS): Promise<string[]> {
  let left = 'unknown'
  const isDone = await until(async () => (left = await unfinished(rig)) === '', ms, 100)
  if (!isDone) return [`not finished after ${ms / 1_000} s: ${left}`]
  let found: readonly string[] = []
  const isSwept = await until(async () => {
    found = await leftovers(rig)
    if (found.length > 0) await rig.app.reconcile()
    return found.length === 0
  }, SWEEP_MS, 500)
  return isSwept ? [] : [`left behind: ${found.join(', ')}`]
}

/** What catalog and queue still have to do, as text; empty when it is nothing. */
export async function unfinished(rig: Rig): Promise<string> {
  try {
    const keeper = await rig.app.keeper()
    const rows = Object.entries(await keeper.unfinished()).filter(([, count]) => count > 0)
    const jobs = Object.entries(await (await rig.app.queue()).counts())
      .filter(([, { waiting, active, delayed }]) => waiting + active + delayed > 0)
    if (rows.length === 0 && jobs.length === 0) return ''
    return `rows ${JSON.stringify(Object.fromEntries(rows))} jobs ${JSON.stringify(Object.fromEntries(jobs))}`
  } catch (thrown) {
    const { code, message } = asPipelineError(thrown)
    return `${code}: ${message}`
  }
}

/** Files of work that is not finished, wherever stages write: there should be none. */
async function leftovers(rig: Rig): Promise<readonly string[]> {
  const staged = (await filesBelow(rig.stagingDir)).filter((name) => name !== MARKER)
  const isLeft = (name: string): boolean => !['data', 'certificate', 'marker'].includes(parseLakeKey(name)?.kind ?? '')
  const inLake = (await filesBelow(rig.lakeDir)).filter(isLeft)
  return [...staged.map((name) => `staging/${name}`), ...inLake.map((name) => `lake/${name}`)]
}

/** Every file below a folder, by its path in it; looked for again where a worker took a folder away meanwhile. */
export async function filesBelow(dir: string): Promise<string[]> {
  const entries = await whilePruned(() => readdir(dir, { recursive: true, withFileTypes: true }))
  const files = entries.filter((entry) => !entry.isDirectory())
  return files.map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1)).sort()
}
