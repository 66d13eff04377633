import { sql } from 'kysely'
import type { StaleRow } from '../../domain/ports/keeper-catalog.js'
import type { Job, RunKind } from '../../domain/ports/plan-catalog.js'
import { STATES_OF, type Stage } from '../../domain/states.js'
import {
  freed, keyArrays, leaseIsFree, partitionOf, sameKey, stageOfRow, stateList, type Db, type KeyRow,
} from './rows.js'

/** Rows at a stage that nobody holds and nothing has changed or checked for a while, the longest unchecked first. */
export async function stale(
  db: Db, o: { stage: Stage; unchangedMs: number; limit: number },
): Promise<readonly StaleRow[]> {
  const { rows } = await sql<KeyRow & { generation: number }>`
    select p.dataset, p.symbol, p.interval, p.month, p.generation from partitions p
    where p.state in ${stateList(STATES_OF[o.stage])} and ${leaseIsFree}
      and p.checked_at <= now() - ${o.unchangedMs} * interval '1 millisecond'
    order by p.checked_at limit ${o.limit}`.execute(db)
  return rows.map((row) => ({ partition: partitionOf(row), generation: row.generation, stage: o.stage }))
}

/** Rows `p` that are still as they were seen, and free, locked in the order of their ids. */
const unchanged = (rows: readonly StaleRow[]) => sql`
  select p.id from unnest(${keyArrays(rows.map((row) => row.partition))},
    ${rows.map((row) => row.generation)}::int[], ${rows.map((row) => row.stage)}::text[]
  ) as i(dataset, symbol, interval, month, generation, stage)
  join partitions p on ${sameKey} and p.generation = i.generation and ${stageOfRow} = i.stage
  where ${leaseIsFree} order by p.id for no key update of p`

export async function touch(db: Db, rows: readonly StaleRow[]): Promise<void> {
  if (rows.length === 0) return
  await sql`
    with seen as (${unchanged(rows)})
    update partitions p set checked_at = now() from seen where p.id = seen.id`.execute(db)
}

/** The crashes stay counted: a partition that kills every worker would go round for ever otherwise. */
export async function requeue(db: Db, rows: readonly StaleRow[]): Promise<readonly Job[]> {
  if (rows.length === 0) return []
  const raised = await sql<KeyRow & { generation: number; stage: Stage; kind: RunKind }>`
    with seen as (${unchanged(rows)})
    update partitions p set generation = p.generation + 1, ${freed} from seen where p.id = seen.id
    returning p.dataset, p.symbol, p.interval, p.month, p.generation, p.kind, ${stageOfRow} as stage`.execute(db)
  return raised.rows.map((row) => {
    const { stage, generation, kind } = row
    return { stage, partition: partitionOf(row), generation, kind }
  })
}
