import { sql } from 'kysely'
import { FORGET_AFTER_MS, LEASE_LOST_AFTER_MS, LOST_AFTER_MS } from '../../domain/heartbeat.js'
import type { Beat, WorkerRow } from '../../domain/ports/keeper-catalog.js'
import { jsonText } from './json-column.js'
import type { Db } from './rows.js'

/** Records that a worker lives; one that was only stopped is not lost any more. */
export async function heartbeat(db: Db, beat: Beat): Promise<void> {
  await sql`
    insert into workers (id, host, pid, stages, doing)
    values (${beat.id}, ${beat.host}, ${beat.pid}, ${[...beat.stages]}, ${jsonText(beat.doing)}::jsonb)
    on conflict (id) do update set host = excluded.host, pid = excluded.pid, stages = excluded.stages,
      doing = excluded.doing, seen_at = now(), lost_at = null`.execute(db)
}

export async function leave(db: Db, workerId: string): Promise<void> {
  await sql`delete from workers where id = ${workerId}`.execute(db)
}

const silentFor = (ms: number) => sql<boolean>`w.seen_at < now() - ${ms} * interval '1 millisecond'`

/** By the clock of the database alone: those of the workers' machines may differ. */
const isLost = sql<boolean>`(${silentFor(LOST_AFTER_MS)} or (${silentFor(LEASE_LOST_AFTER_MS)} and exists (
  select from partitions p where p.lease_token is not null and p.lease_holder = w.id and p.lease_until <= now())))`

const columns = sql`w.id, w.host, w.pid, w.stages, w.doing, ${isLost} as lost,
  w.started_at as "startedAt", w.seen_at as "seenAt"`

export async function workers(db: Db): Promise<readonly WorkerRow[]> {
  const { rows } = await sql<WorkerRow>`select ${columns} from workers w order by w.id`.execute(db)
  return rows
}

export async function missWorkers(db: Db): Promise<readonly WorkerRow[]> {
  await sql`delete from workers w where ${silentFor(FORGET_AFTER_MS)}`.execute(db)
  const { rows } = await sql<WorkerRow>`
    update workers w set lost_at = now() where w.lost_at is null and ${isLost} returning ${columns}`.execute(db)
  return rows
}
