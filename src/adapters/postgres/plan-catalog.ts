import { sql, type Kysely } from 'kysely'
import { PipelineError } from '../../domain/errors.js'
import { partitionKeyOf, type Partition } from '../../domain/partition.js'
import type { PlannedRow } from '../../domain/plan.js'
import type { PlanCatalog, Run } from '../../domain/ports/plan-catalog.js'
import type { WantedSource } from '../../domain/source.js'
import type { State } from '../../domain/states.js'
import { apply } from './apply.js'
import { cancel } from './cancel.js'
import { progress } from './progress.js'
import { keyArrays, lookedUp, partitionOf, unfinishedStates, type Db, type KeyRow } from './rows.js'
import { newRunId, runColumns, runOf, type RunRow } from './runs.js'
import { jsonText } from './json-column.js'

/** The catalog as the planner and runs use it, over one pool. */
export function planCatalog(db: Kysely<unknown>): PlanCatalog {
  return {
    createRun: (o) => createRun(db, o),
    rowsOf: (partitions) => rowsOf(db, partitions),
    apply: (o) => apply(db, o),
    planned: (runId) => planned(db, runId),
    cancel: (runId) => cancel(db, runId),
    progress: (runId) => progress(db, runId),
    finishRuns: () => finishRuns(db),
    runs: async ({ limit, open }) => {
      const { rows } = await sql<RunRow>`
        select ${runColumns} from runs where ${open ?? false} = false or state in ('planning', 'running')
        order by created_at desc, id limit ${limit}`.execute(db)
      return rows.map(runOf)
    },
  }
}

async function createRun(db: Db, o: Pick<Run, 'kind' | 'request'>): Promise<Run> {
  // 33 million ids: a used one is drawn about once in 33,000 runs when there are a thousand.
  for (let tries = 0; tries < 10; tries++) {
    const { rows } = await sql<RunRow>`
      insert into runs (id, kind, request) values (${newRunId()}, ${o.kind}, ${jsonText(o.request)}::jsonb)
      on conflict (id) do nothing returning ${runColumns}`.execute(db)
    if (rows[0]) return runOf(rows[0])
  }
  throw new PipelineError('UNEXPECTED', 'no free id for a run in ten tries')
}

/**
 * Tells the planner of queries how long the run is: without, it takes a run of 111,558 partitions for one of 400 and
 * counts it in 240 ms instead of 110. Where we may not, it is a warning of the server's.
 */
async function planned(db: Db, runId: string): Promise<void> {
  const { rows } = await sql`
    update runs set state = 'running' where id = ${runId} and state = 'planning' returning id`.execute(db)
  if (rows.length > 0) await sql`analyze run_partitions (run_id)`.execute(db)
}

type Row = KeyRow & {
  readonly generation: number
  readonly state: State
  readonly sources: readonly WantedSource[]
  readonly bounds: PlannedRow['bounds']
  readonly leased: boolean
}

async function rowsOf(db: Db, partitions: readonly Partition[]): Promise<ReadonlyMap<string, PlannedRow>> {
  const { rows } = await sql<Row>`
    select p.dataset, p.symbol, p.interval, p.month, p.generation, p.state, p.work -> 'wanted' as sources, p.work -> 'bounds' as bounds,
      coalesce(p.lease_until > now(), false) as leased
    from unnest(${keyArrays(partitions)}) as i(dataset, symbol, interval, month) ${lookedUp}`.execute(db)
  return new Map(rows.map((row) => {
    const { generation, state, sources, bounds, leased } = row
    return [partitionKeyOf(partitionOf(row)), { generation, state, sources, bounds, leased }]
  }))
}

async function finishRuns(db: Db): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    update runs set state = 'done', finished_at = now()
    where state = 'running' and not exists (
      select from run_partitions r join partitions p on p.id = r.partition_id
      where r.run_id = runs.id and p.state in ${unfinishedStates})
    returning id`.execute(db)
  return rows.map((row) => row.id)
}
