import { sql, type Kysely } from 'kysely'
import { incomingKeyOf, stagingFolderOf } from '../../domain/names.js'
import type { KeeperCatalog } from '../../domain/ports/keeper-catalog.js'
import type { Published, Work } from '../../domain/work.js'
import type { Partition } from '../../domain/partition.js'
import { comparing } from './comparing.js'
import { fromColumn } from './json-column.js'
import { adoptLake, lakeOf, matchLake, moveLake } from './lake.js'
import { named, whileUnnamed } from './named.js'
import { partitions, quarantine } from './pages.js'
import { requeue, stale, touch } from './reconcile.js'
import { restore } from './restore.js'
import { states, summary, unfinished } from './reports.js'
import { finishedStates, isPartition, isShown, unfinishedStates, type Db } from './rows.js'
import { heartbeat, leave, missWorkers, workers } from './workers.js'

/** The catalog as reports, repairs and the command line use it, over one pool. */
export function keeperCatalog(db: Kysely<unknown>): KeeperCatalog {
  return {
    adoptLake: (o) => adoptLake(db, o),
    matchLake: (o) => matchLake(db, o),
    lake: () => lakeOf(db),
    moveLake: (o) => moveLake(db, o),
    stale: (o) => stale(db, o),
    touch: (rows) => touch(db, rows),
    requeue: (rows) => requeue(db, rows),
    unfinished: () => unfinished(db),
    states: (filter) => states(db, filter),
    summary: (runId) => summary(db, runId),
    partitions: (filter) => partitions(db, filter),
    quarantine: (filter) => quarantine(db, filter),
    isReferenced: (o) => isReferenced(db, o),
    named: (partitions) => named(db, partitions),
    whileUnnamed: (partition, effect) => whileUnnamed(db, partition, effect),
    restore: (o, isThere, dryRun) => restore(db, o, isThere, dryRun),
    repairPublished: (o) => repairPublished(db, o),
    comparing: (everyMs, effect) => comparing(db, everyMs, effect),
    heartbeat: (beat) => heartbeat(db, beat),
    leave: (workerId) => leave(db, workerId),
    workers: () => workers(db),
    missWorkers: () => missWorkers(db),
  }
}

/**
 * A lease that has run out counts until somebody takes it or reconcile requeues the row: its holder may still come back
 * and commit, and what it commits must be there.
 */
async function isReferenced(db: Db, o: { partition: Partition; generation: number; token: string }): Promise<boolean> {
  const { partition, generation, token } = o
  const { rows } = await sql<{ held: boolean; work: unknown }>`
    select coalesce(p.lease_token = ${token} and p.generation = ${generation}, false) as held, p.work
    from partitions p where ${isPartition(partition)} and p.state in ${unfinishedStates}`.execute(db)
  const row = rows[0]
  if (!row) return false
  const { downloaded, converted, uploaded } = fromColumn<Work>(row.work)
  const folder = stagingFolderOf(partition, generation, token)
  return row.held || downloaded?.folder === folder || converted?.folder === folder
    || uploaded?.key === incomingKeyOf(partition, generation, token)
}

/** Only for the revision that the row shows: one that was published meanwhile is newer than what the caller saw. */
async function repairPublished(db: Db, o: { partition: Partition; published: Published }): Promise<boolean> {
  const { key, etag, bytes, sha256Hex, rows: count, revision } = o.published
  const { rows } = await sql`
    update partitions p set published_key = ${key}, published_etag = ${etag}, published_bytes = ${bytes},
      published_sha256 = ${sha256Hex}, published_rows = ${count}, updated_at = now(), checked_at = now()
    where ${isPartition(o.partition)} and ${isShown} and p.state in ${finishedStates}
      and p.published_revision = ${revision}
    returning p.id`.execute(db)
  return rows.length > 0
}
