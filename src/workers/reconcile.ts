import { asPipelineError, PipelineError } from '../domain/errors.js'
import { partitionKeyOf } from '../domain/partition.js'
import type { JobQueue } from '../domain/ports/job-queue.js'
import type { KeeperCatalog } from '../domain/ports/keeper-catalog.js'
import type { Job, PlanCatalog } from '../domain/ports/plan-catalog.js'
import { STAGES, type Stage } from '../domain/states.js'
import type { Ports } from './stage.js'
import { repairPublished, type Repaired } from './repair.js'
import { sweepOrphans, type Swept } from './sweep.js'

export type ReconcilePorts = Pick<Ports, 'staging' | 'lake' | 'now' | 'log'> & {
  readonly keeper: KeeperCatalog
  readonly plan: PlanCatalog
  readonly queue: JobQueue
}

export type Reconciled = {
  readonly requeued: number
  readonly finishedRuns: readonly string[]
  /** Workers that this pass found dead, each once for all passes: `host:pid`. */
  readonly lostWorkers: readonly string[]
  readonly swept: Swept
  readonly repaired: Repaired
}

/** Rows of one stage looked at together, and how many such pages one pass takes: bounds its time over a million lost jobs. */
const LIMIT = 5_000
const PASSES = 40

/**
 * Makes the queue agree with the catalog again, and removes what dead workers left. A row is put back when its lease is
 * free or expired, nothing changed it for two periods, and the queue has no living job for it. Published objects are
 * compared all, or those whose row changed lately, where no other process has that in hand.
 */
export async function reconcile(ports: ReconcilePorts, periodMs: number, compared: 'all' | 'recent'): Promise<Reconciled> {
  let requeued = 0
  const unfinished = await ports.keeper.unfinished()
  for (const stage of STAGES) {
    if (unfinished[stage] > 0) requeued += await requeueLost(stage, ports, 2 * periodMs)
  }
  const finishedRuns = await ports.plan.finishRuns()
  const lostWorkers = await tellLost(ports)
  const swept = await sweepOrphans(ports, 2 * periodMs)
  const repaired = compared === 'all'
    ? await repairPublished(ports, null)
    : ((await ports.keeper.comparing(periodMs, (since) => repairRecent(ports, since))) ?? NOT_COMPARED)
  const work = { requeued, ...swept, ...repaired }
  if (Object.values(work).some((count) => count > 0)) ports.log.info('reconciled', work)
  return { requeued, finishedRuns, lostWorkers, swept, repaired }
}

const NOT_COMPARED: Repaired = { noted: 0, restarted: 0, certificates: 0, missed: 0 }

/** Fails when the store did not answer for all: the next turn then begins where this one did. @throws {STORE_UNREACHABLE} */
async function repairRecent(ports: ReconcilePorts, since: Date): Promise<Repaired> {
  const repaired = await repairPublished(ports, since)
  if (repaired.missed === 0) return repaired
  const message = `${repaired.missed} published objects could not be compared`
  throw new PipelineError('STORE_UNREACHABLE', message, { at: ports.lake.url, missed: repaired.missed })
}

async function tellLost({ keeper, log }: ReconcilePorts): Promise<readonly string[]> {
  const lost = await keeper.missWorkers()
  return lost.map(({ id, host, pid, seenAt, doing }) => {
    const at = `${host}:${pid}`
    log.warn('worker.lost', { worker: id, at, seenAt, held: doing })
    return at
  })
}

/** Page after page, as long as pages are full; rows that live are touched and do not come again. */
async function requeueLost(stage: Stage, ports: ReconcilePorts, unchangedMs: number): Promise<number> {
  let requeued = 0
  for (let pass = 0; pass < PASSES; pass++) {
    const rows = await ports.keeper.stale({ stage, unchangedMs, limit: LIMIT })
    const alive = new Set((await ports.queue.alive(rows)).map(identity))
    await ports.keeper.touch(rows.filter((row) => alive.has(identity(row))))
    const jobs = await ports.keeper.requeue(rows.filter((row) => !alive.has(identity(row))))
    await ports.queue.enqueue(jobs)
    requeued += jobs.length
    if (rows.length < LIMIT) break
  }
  return requeued
}

const identity = (row: Omit<Job, 'kind'>): string =>
  `${row.stage} ${partitionKeyOf(row.partition)} ${row.generation}`

/**
 * Runs `reconcile` every period until the signal fires; a failed pass is logged and the next one tries again. No pass
 * begins where `first` fails.
 */
export async function reconcileEvery(
  ports: ReconcilePorts, periodMs: number, signal: AbortSignal, first?: () => Promise<unknown>,
): Promise<void> {
  while (!signal.aborted) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, periodMs)
      signal.addEventListener('abort', done, { once: true })
      function done(): void {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        resolve()
      }
    })
    if (signal.aborted) return
    try {
      await first?.()
      await reconcile(ports, periodMs, 'recent')
    } catch (thrown) {
      const { code, message } = asPipelineError(thrown)
      ports.log.warn('reconcile.failed', { code, message })
    }
  }
}
