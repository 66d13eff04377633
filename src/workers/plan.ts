import { partitionKeyOf } from '../domain/partition.js'
import { planPartitions, type Plan, type WantedPartition } from '../domain/plan.js'
import type { JobQueue } from '../domain/ports/job-queue.js'
import type { PlanCatalog, Run } from '../domain/ports/plan-catalog.js'

/** Partitions planned in one round trip; what memory a plan needs does not depend on its length. */
const BATCH = 1_000

/** What a plan comes to. Bytes are of the ZIPs to download, as far as the listing gives them. */
export type PlanFigures = {
  readonly partitions: number
  readonly todo: number
  readonly joined: number
  readonly done: number
  readonly downloadBytes: number
  /** Partitions to do whose source no listing named: their bytes are not in `downloadBytes`. */
  readonly unlisted: number
}

export type PlanPorts = { readonly plan: PlanCatalog; readonly queue: Pick<JobQueue, 'enqueue'> }

export type PlanOptions = {
  /** Null for a dry run: nothing is written, nothing enqueued. */
  readonly run: Run | null
  readonly force?: boolean
  readonly onProgress?: (figures: PlanFigures) => void
  readonly onPlanned?: (plan: Plan) => void
  readonly signal?: AbortSignal
}

/**
 * Plans batch by batch: asks the catalog, decides (pure, `domain/plan.ts`), records, and enqueues exactly the jobs that
 * recording gave back. A crash between the two leaves rows without a job; the same plan again, or reconcile, adds it.
 */
export async function plan(
  wanted: AsyncIterable<WantedPartition> | Iterable<WantedPartition>, ports: PlanPorts, o: PlanOptions,
): Promise<PlanFigures> {
  const figures = await planBatches(wanted, ports, o).catch(async (thrown: unknown) => {
    // What was planned is work all the same, and a run that plans for ever is never done. The first error says more than
    // a second one here.
    if (o.run) await ports.plan.planned(o.run.id).catch(() => undefined)
    throw thrown
  })
  if (o.run) await ports.plan.planned(o.run.id)
  return figures
}

async function planBatches(
  wanted: AsyncIterable<WantedPartition> | Iterable<WantedPartition>, ports: PlanPorts, o: PlanOptions,
): Promise<PlanFigures> {
  let figures: PlanFigures = { partitions: 0, todo: 0, joined: 0, done: 0, downloadBytes: 0, unlisted: 0 }
  for await (const batch of batches(wanted, BATCH)) {
    o.signal?.throwIfAborted()
    const rows = await ports.plan.rowsOf(batch.map((w) => w.partition))
    const decided = planPartitions(batch, rows, o.force)
    figures = add(figures, decided)
    if (o.run) await ports.queue.enqueue(await ports.plan.apply({ run: o.run, decisions: decided }))
    o.onPlanned?.(decided)
    o.onProgress?.(figures)
  }
  return figures
}

function add(sum: PlanFigures, decided: Plan): PlanFigures {
  const of = (kind: string): Plan => decided.filter(({ decision }) => decision.kind === kind)
  const starts = of('start').map(({ wanted }) => wanted)
  const bytes = starts.flatMap((wanted) => wanted.sources).reduce((total, source) => total + (source.bytes ?? 0), 0)
  return {
    partitions: sum.partitions + decided.length,
    todo: sum.todo + starts.length,
    joined: sum.joined + of('join').length,
    done: sum.done + of('done').length,
    downloadBytes: sum.downloadBytes + bytes,
    unlisted: sum.unlisted + starts.filter((wanted) => wanted.sources.length === 0).length,
  }
}

/** Batches of up to `size`; a partition named twice in one batch is given once. */
async function* batches(
  wanted: AsyncIterable<WantedPartition> | Iterable<WantedPartition>, size: number,
): AsyncGenerator<WantedPartition[]> {
  let batch = new Map<string, WantedPartition>()
  for await (const one of wanted) {
    batch.set(partitionKeyOf(one.partition), one)
    if (batch.size < size) continue
    yield [...batch.values()]
    batch = new Map()
  }
  if (batch.size > 0) yield [...batch.values()]
}
