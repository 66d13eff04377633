import { sql, type Kysely, type RawBuilder } from 'kysely'
import { partitionKeyOf } from '../../domain/partition.js'
import type { PlanDecision, WantedPartition } from '../../domain/plan.js'
import type { Job, Run } from '../../domain/ports/plan-catalog.js'
import type { Stage } from '../../domain/states.js'
import { jsonText } from './json-column.js'
import {
  finishedStates, keyArrays, lookedUp, partitionOf, stageOfRow, startedOver, type Db, type KeyRow,
} from './rows.js'
import { lockPlanning } from './runs.js'

type Decided = readonly { readonly wanted: WantedPartition; readonly decision: PlanDecision }[]

/**
 * Carries a batch of decisions out: one statement for the rows, one for the links, in one transaction. Every planner locks
 * rows in the order of their keys, then of their ids, so that two of them wait for each other and never in a circle. A row
 * that has changed since the decision is linked and gets no job: whoever changed it has one.
 */
export function apply(db: Kysely<unknown>, o: { run: Run; decisions: Decided }): Promise<readonly Job[]> {
  const { run, decisions } = o
  if (decisions.length === 0) return Promise.resolve([])
  return db.transaction().execute(async (trx) => {
    await lockPlanning('shared').execute(trx)
    const started = await decide(trx, run, decisions)
    await link(trx, run, decisions)
    // In the order of the plan, which the queue keeps.
    return decisions.flatMap(({ wanted: { partition } }) => started.get(partitionKeyOf(partition)) ?? [])
  })
}

type StartedRow = KeyRow & { readonly generation: number; readonly stage: Stage }

async function decide(db: Db, run: Run, decisions: Decided): Promise<ReadonlyMap<string, Job>> {
  const { rows } = await sql<StartedRow>`
    with input as (select * from ${input(decisions)}, (${openRun(run)}) as open),
    found as materialized (
      select i.*, p.id, p.state, p.generation as current, ${stageOfRow} as at from input i ${lookedUp}),
    inserted as (
      insert into partitions (dataset, symbol, "interval", month, kind, work)
      select i.dataset, i.symbol, i.interval, i.month, ${run.kind}, i.work from input i
      where i.verb = 'start' and i.generation is null
      order by i.dataset, i.symbol, i.interval, i.month
      on conflict (dataset, symbol, "interval", month) do nothing
      returning dataset, symbol, "interval", month, generation, 'download' as stage
    ), locked as (
      select p.id, f.work
      from found f join partitions p on p.id = f.id and p.state = f.state and p.generation = f.current
      where (f.verb = 'start' and f.generation = f.current and f.state in ${finishedStates})
        -- Cancelled since it was joined: it is wanted again.
        or (f.verb = 'join' and f.state = 'cancelled')
      order by p.id for no key update of p
    ), raised as (
      update partitions p set ${startedOver(null)}, kind = ${run.kind}, work = locked.work
      from locked where p.id = locked.id
      returning p.dataset, p.symbol, p.interval, p.month, p.generation, 'download' as stage
    ), joined as (
      select f.dataset, f.symbol, f.interval, f.month, f.generation, f.stage from found f
      where f.verb = 'join' and f.generation = f.current and f.stage = f.at
    )
    select * from inserted union all select * from raised union all select * from joined`.execute(db)
  return new Map(rows.map((row) => {
    const partition = partitionOf(row)
    return [partitionKeyOf(partition), { stage: row.stage, partition, generation: row.generation, kind: run.kind }]
  }))
}

const openRun = (run: Run): RawBuilder<unknown> => sql`
  select from runs where id = ${run.id} and state in ('planning', 'running')`

/** One JSON text: arrays of texts with quotes in them cost the client as much time as all the rest of a plan. */
const input = (decisions: Decided): RawBuilder<unknown> => sql`
  jsonb_to_recordset(${jsonText(decisions.map(inputOf))}::jsonb)
  as i(dataset text, symbol text, "interval" text, month text, verb text, generation integer, stage text, work jsonb)`

const inputOf = ({ wanted: { partition, sources, bounds }, decision }: Decided[number]): object => ({
  ...partition,
  verb: decision.kind,
  generation: generationOf(decision),
  stage: decision.kind === 'join' ? decision.stage : null,
  work: decision.kind === 'done' ? null : { wanted: sources, bounds },
})

const generationOf = (decision: PlanDecision): number | null =>
  decision.kind === 'start' ? decision.from : decision.generation

/** In a statement of its own, which sees the rows that another planner has inserted in the meantime. */
async function link(db: Db, run: Run, decisions: Decided): Promise<void> {
  await sql`
    insert into run_partitions (run_id, partition_id, already_done)
    select ${run.id}, p.id, i.done and p.state in ${finishedStates}
    from unnest(${keyArrays(decisions.map(({ wanted }) => wanted.partition))},
      ${decisions.map(({ decision }) => decision.kind === 'done')}::boolean[]
    ) as i(dataset, symbol, interval, month, done)
    ${lookedUp}, (${openRun(run)}) as open
    on conflict do nothing`.execute(db)
}
