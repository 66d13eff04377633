import { sql, type Kysely } from 'kysely'
import { freed, unfinishedStates, type Db } from './rows.js'
import { lockPlanning, runAbsent } from './runs.js'
import type { RunState } from '../../domain/ports/plan-catalog.js'

/** A statement of this many rows ends well within the statement timeout. */
const CHUNK = 20_000

/** Ends a run and its unfinished partitions that no other open run wants, in one transaction. @throws {RUN_ABSENT} */
export function cancel(
  db: Kysely<unknown>, runId: string,
): Promise<{ readonly cancelled: number; readonly kept: number }> {
  return db.transaction().execute(async (trx) => {
    await lockPlanning('exclusive').execute(trx)
    const found = await sql<{ state: RunState }>`select state from runs where id = ${runId} for update`.execute(trx)
    const state = found.rows[0]?.state
    if (state === undefined) throw runAbsent(runId)
    if (state === 'done' || state === 'cancelled') return { cancelled: 0, kept: 0 }
    await sql`update runs set state = 'cancelled', finished_at = now() where id = ${runId}`.execute(trx)
    let cancelled = 0
    for (let more = CHUNK; more === CHUNK; cancelled += more) more = await cancelSome(trx, runId)
    return { cancelled, kept: await unfinishedOf(trx, runId) }
  })
}

/** The generation is raised, so that executions under way are fenced and waiting jobs have nothing to do. */
async function cancelSome(db: Db, runId: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    with chosen as (
      select p.id from run_partitions r join partitions p on p.id = r.partition_id
      where r.run_id = ${runId} and p.state in ${unfinishedStates} and not exists (
        select from run_partitions other join runs on runs.id = other.run_id
        where other.partition_id = p.id and runs.state in ('planning', 'running'))
      order by p.id limit ${CHUNK} for no key update of p
    ), cancelled as (
      update partitions p set state = 'cancelled', generation = p.generation + 1, crashes = 0, staged_bytes = 0,
        code = null, message = null, work = p.work - array['downloaded', 'converted', 'uploaded'], ${freed}
      from chosen where p.id = chosen.id returning p.id
    )
    select count(*)::int as count from cancelled`.execute(db)
  return rows[0]?.count ?? 0
}

async function unfinishedOf(db: Db, runId: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from run_partitions r join partitions p on p.id = r.partition_id
    where r.run_id = ${runId} and p.state in ${unfinishedStates}`.execute(db)
  return rows[0]?.count ?? 0
}
