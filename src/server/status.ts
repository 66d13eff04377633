import { DATASETS } from '../domain/dataset.js'
import { partitionKeyOf } from '../domain/partition.js'
import type { JobQueue, QueueCounts } from '../domain/ports/job-queue.js'
import type { KeeperCatalog, WorkerRow } from '../domain/ports/keeper-catalog.js'
import type { PlanCatalog, Run, RunProgress } from '../domain/ports/plan-catalog.js'
import { STATES, type JobStage, type State } from '../domain/states.js'
import { keptReading } from '../observability/reading.js'
import type { Redact } from './redact.js'

export type StatusSources = {
  readonly keeper: Pick<KeeperCatalog, 'summary' | 'workers' | 'quarantine'>
  readonly plan: Pick<PlanCatalog, 'runs' | 'progress'>
  readonly queue: Pick<JobQueue, 'counts'>
}

export type DatasetStatus = {
  readonly dataset: string
  readonly states: Readonly<Record<State, number>>
  readonly rows: number
  readonly bytesIn: number
  readonly bytesOut: number
}

export type RunStatus = Pick<Run, 'id' | 'kind' | 'state' | 'request' | 'createdAt' | 'finishedAt'>
  & Omit<RunProgress, 'run'>

export type QuarantineStatus = {
  readonly partition: string
  readonly code: string
  readonly message: string
  readonly since: Date
  /** The lake still shows an older revision. */
  readonly served: boolean
}

/** What the status page and `/api/status` show. A part that could not be read is null, and `problems` says why. */
export type Status = {
  readonly v: 1
  readonly type: 'status'
  readonly version: string
  readonly at: Date
  readonly datasets: readonly DatasetStatus[] | null
  readonly runs: readonly RunStatus[] | null
  readonly workers: readonly WorkerRow[] | null
  readonly queues: Readonly<Record<JobStage, QueueCounts>> | null
  /** The first of them; the states count all. */
  readonly quarantine: readonly QuarantineStatus[] | null
  readonly problems: readonly { readonly part: string; readonly code: string }[]
}

const LIMIT_MS = 3_000
const KEEP_MS = 2_000
const RUNS_SHOWN = 10
const QUARANTINE_SHOWN = 20

/** Makes a reading of the whole status; each part has 3 s, and is kept for 2 s. Never rejects. */
export function statusReader(o: {
  sources: StatusSources
  version: string
  redact: Redact
  limitMs?: number
}): () => Promise<Status> {
  const { keeper, plan, queue } = o.sources
  const kept = <T>(read: () => Promise<T>) => keptReading({ read, limitMs: o.limitMs ?? LIMIT_MS, keepMs: KEEP_MS })
  const parts = {
    datasets: kept(() => datasetsOf(keeper)),
    runs: kept(() => runsOf(plan)),
    workers: kept(() => keeper.workers()),
    queues: kept(() => queue.counts()),
    quarantine: kept(() => quarantineOf(keeper)),
  }
  return async () => {
    const [datasets, runs, workers, queues, quarantine] = await Promise.all([
      parts.datasets(), parts.runs(), parts.workers(), parts.queues(), parts.quarantine(),
    ])
    const all = { datasets, runs, workers, queues, quarantine }
    const problems = Object.entries(all)
      .flatMap(([part, reading]) => (reading.ok ? [] : [{ part, code: reading.code }]))
    const shown = o.redact.value({
      datasets: datasets.ok ? datasets.value : null,
      runs: runs.ok ? runs.value : null,
      workers: workers.ok ? workers.value : null,
      queues: queues.ok ? queues.value : null,
      quarantine: quarantine.ok ? quarantine.value : null,
    }) as Pick<Status, keyof typeof all>
    return { v: 1, type: 'status', version: o.version, at: new Date(), ...shown, problems }
  }
}

async function datasetsOf(keeper: StatusSources['keeper']): Promise<readonly DatasetStatus[]> {
  const summary = await keeper.summary()
  const known = new Set<string>([...DATASETS, ...summary.map((line) => line.dataset)])
  return [...known].flatMap((dataset) => {
    const lines = summary.filter((line) => line.dataset === dataset)
    if (lines.length === 0) return []
    const sum = (of: (line: (typeof lines)[number]) => number): number => lines.reduce((all, line) => all + of(line), 0)
    const states = Object.fromEntries(
      STATES.map((state) => [state, sum((line) => (line.state === state ? line.partitions : 0))]),
    ) as Record<State, number>
    return [{
      dataset, states, rows: sum((line) => line.rows), bytesIn: sum((line) => line.bytesIn),
      bytesOut: sum((line) => line.bytesOut),
    }]
  })
}

async function runsOf(plan: StatusSources['plan']): Promise<readonly RunStatus[]> {
  const runs = await plan.runs({ limit: RUNS_SHOWN })
  return Promise.all(runs.map(async ({ id }) => {
    const { run, ...progress } = await plan.progress(id)
    const { kind, state, request, createdAt, finishedAt } = run
    return { id, kind, state, request, createdAt, finishedAt, ...progress }
  }))
}

async function quarantineOf(keeper: StatusSources['keeper']): Promise<readonly QuarantineStatus[]> {
  const shown: QuarantineStatus[] = []
  for await (const { partition, code, message, since, published } of keeper.quarantine({})) {
    shown.push({ partition: partitionKeyOf(partition), code, message, since, served: published !== null })
    if (shown.length >= QUARANTINE_SHOWN) break
  }
  return shown
}
