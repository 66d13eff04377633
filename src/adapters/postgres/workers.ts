import { sql } from 'kysely'
import type { WorkerRow } from '../../domain/ports/keeper-catalog.js'
import { jsonText } from './json-column.js'
import type { Db } from './rows.js'

/** Records that a worker lives, and forgets those that have been silent for a day. */
export async function heartbeat(db: Db, worker: Omit<WorkerRow, 'startedAt' | 'seenAt'>): Promise<void> {
  await sql`
    with silent as (delete from workers where seen_at < now() - interval '1 day' and id <> ${worker.id})
    insert into workers (id, host, pid, stages, doing)
    values (${worker.id}, ${worker.host}, ${worker.pid}, ${[...worker.stages]}, ${jsonText(worker.doing)}::jsonb)
    on conflict (id) do update set host = excluded.host, pid = excluded.pid, stages = excluded.stages,
      doing = excluded.doing, seen_at = now()`.execute(db)
}

export async function leave(db: Db, workerId: string): Promise<void> {
  await sql`delete from workers where id = ${workerId}`.execute(db)
}

export async function workers(db: Db): Promise<readonly WorkerRow[]> {
  const { rows } = await sql<WorkerRow>`
    select id, host, pid, stages, doing, started_at as "startedAt", seen_at as "seenAt"
    from workers order by id`.execute(db)
  return rows
}
