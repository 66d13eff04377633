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
 * Carries a batch of decisions out in one statement, and one more for partitions that another planner inserted in the
 * meantime. Every planner locks rows in the order of their keys, then of their ids, so that two of them wait for each
 * other and never in a circle. A row that has changed since the decision is linked and gets no job: whoever changed it
 * has one.
 */
export function apply(db: Kysely<unknown>, o: { run: Run; decisions: Decided }): Promise<readonly Job[]> {
  const { run, decisions } = o
  if (decisions.length === 0) return Promise.resolve([])
  return db.transaction().execute(async (trx) => {
    await lockPlanning('shared').execute(trx)
    const rows = await decide(trx, run, decisions)
    const known = new Map(rows.map((row) => [partitionKeyOf(partitionOf(row)), row]))
    await linkOthers(trx, run, decisions.filter(({ wanted }) => !known.has(partitionKeyOf(wanted.partition))))
    // In the order of the plan, which the queue keeps.
    return decisions.flatMap(({ wanted: { partition } }) => {
      const row = known.get(partitionKeyOf(partition))
      return row?.stage ? [{ stage: row.stage, partition, generation: row.generation, kind: run.kind }] : []
    })
  })
}

/** A partition that is linked now; `stage` is null where there is no job for it. */
type LinkedRow = KeyRow & { readonly generation: number; readonly stage: Stage | null }

async function decide(db: Db, run: Run, decisions: Decided): Promise<readonly LinkedRow[]> {
  const { rows } = await sql<LinkedRow>`
    with input as (select * from ${input(decisions)}, (${openRun(run)}) as open),
    found as materialized (
      select i.*, p.id, p.state, p.generation as current, ${stageOfRow} as at from input i ${lookedUp}),
    inserted as (
      insert into partitions (dataset, symbol, "interval", month, kind, work)
      select i.dataset, i.symbol, i.interval, i.month, ${run.kind}, i.work from input i
      where i.verb = 'start' and i.generation is null
      order by i.dataset, i.symbol, i.interval, i.month
      on conflict (dataset, symbol, "interval", month) do nothing
      returning id, dataset, symbol, "interval", month, generation
    ), locked as (
      select p.id, f.work
      from found f join partitions p on p.id = f.id and p.state = f.state and p.generation = f.current
      where (f.verb = 'start' and f.generation = f.current and f.state in ${finishedStates})
        -- Cancelled since it was looked at: it is wanted again.
        or (f.verb in ('start', 'join') and f.state = 'cancelled')
      order by p.id for no key update of p
    ), raised as (
      update partitions p set ${startedOver(null)}, kind = ${run.kind}, work = locked.work
      from locked where p.id = locked.id returning p.id, p.generation
    ), linked as (
      insert into run_partitions (run_id, partition_id, already_done)
      select ${run.id}, id, false from inserted
      union all select ${run.id}, f.id, f.verb = 'done' and f.state in ${finishedStates} from found f
      on conflict do nothing
    )
    select dataset, symbol, "interval", month, generation, 'download' as stage from inserted
    union all
    select f.dataset, f.symbol, f.interval, f.month, coalesce(r.generation, f.current),
      case when r.id is not null then 'download'
        when f.verb = 'join' and f.generation = f.current and f.stage = f.at then f.stage end
    from found f left join raised r on r.id = f.id`.execute(db)
  return rows
}

const openRun = (run: Run): RawBuilder<unknown> => sql`
  select from runs where id = ${run.id} and state in ('planning', 'running')`

/**
 * The works as one JSON text: as an array of texts its quotes are escaped once more, which costs the client 0.6 s for
 * 100,000 partitions; with the keys in the JSON too (jsonb_to_recordset) it costs the server 1 s.
 */
const input = (decisions: Decided): RawBuilder<unknown> => sql`rows from (
    unnest(${keyArrays(decisions.map(({ wanted }) => wanted.partition))},
      ${decisions.map(({ decision }) => decision.kind)}::text[],
      ${decisions.map(({ decision }) => (decision.kind === 'start' ? decision.from : decision.generation))}::integer[],
      ${decisions.map(({ decision }) => (decision.kind === 'join' ? decision.stage : null))}::text[]),
    jsonb_array_elements(${jsonText(decisions.map(workOf))}::jsonb)
  ) as i(dataset, symbol, interval, month, verb, generation, stage, work)`

const workOf = ({ wanted, decision }: Decided[number]): object | null =>
  decision.kind === 'done' ? null : { wanted: wanted.sources, bounds: wanted.bounds }

/** Partitions that another planner has inserted since the statement before began: only a new one sees them. */
async function linkOthers(db: Db, run: Run, decisions: Decided): Promise<void> {
  if (decisions.length === 0) return
  await sql`
    insert into run_partitions (run_id, partition_id, already_done)
    select ${run.id}, p.id, false
    from unnest(${keyArrays(decisions.map(({ wanted }) => wanted.partition))}) as i(dataset, symbol, interval, month)
    ${lookedUp}, (${openRun(run)}) as open
    on conflict do nothing`.execute(db)
}
