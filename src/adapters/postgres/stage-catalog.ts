import { sql, type Kysely, type RawBuilder } from 'kysely'
import type { Advance, Claim, Ended, StageCatalog } from '../../domain/ports/stage-catalog.js'
import type { Partition } from '../../domain/partition.js'
import { STATES_OF, type State } from '../../domain/states.js'
import type { Work } from '../../domain/work.js'
import { claim } from './claim.js'
import { jsonText, plainText } from './json-column.js'
import { publish } from './publish.js'
import {
  freed, isHeldBy, isPartition, leaseIsFree, settledWork, stagedBytesOf, startedOver, stateList, type Db,
} from './rows.js'

/** The catalog as stages use it, over one pool. */
export function stageCatalog(db: Kysely<unknown>, o: { maxCrashes: number }): StageCatalog {
  return {
    claim: (request) => claim(db, request, o.maxCrashes),
    renew: (request) => renew(db, request),
    commit: (claimed, advance) => commit(db, claimed, advance),
    publish: (claimed, effect) => publish(db, claimed, effect),
    end: (claimed, ended) => end(db, claimed, ended),
    release: (claimed, why) => touched(db, sql`
      update partitions p set crashes = 0, code = ${why.code}, message = ${plainText(why.message)}, ${freed}
      where ${isHeldBy(claimed)} returning p.id`),
    letGo: (o) => letGo(db, o),
    restart: (claimed, reason) => raised(db, sql`
      update partitions p set ${startedOver(reason)},
        work = ${jsonText(restarted(claimed.work))}::jsonb
      where ${isHeldBy(claimed)} returning p.generation`),
    reopen: (request) => reopen(db, request),
    giveUp: (request) => touched(db, sql`
      update partitions p set state = 'failed', staged_bytes = 0, crashes = 0, code = ${request.code}, facts = null,
        message = ${plainText(request.message)}, work = p.work - array['downloaded', 'converted', 'uploaded'],
        ended_stage = ${request.stage}, ended_attempt = 0, ${freed}
      where ${isPartition(request.partition)} and p.generation = ${request.generation}
        and p.state in ${stateList(STATES_OF[request.stage])} returning p.id`),
    stagedBytes: () => stagedBytes(db),
  }
}

const restarted = ({ wanted, bounds, restarts = 0 }: Work): Work => ({ wanted, bounds, restarts: restarts + 1 })

const touched = async (db: Db, statement: RawBuilder<unknown>): Promise<boolean> =>
  (await statement.execute(db)).rows.length > 0

async function raised(db: Db, statement: RawBuilder<unknown>): Promise<{ readonly generation: number } | null> {
  const { rows } = await (statement as RawBuilder<{ generation: number }>).execute(db)
  return rows[0] ? { generation: rows[0].generation } : null
}

/** A row that is locked, by a publication of this very worker for example, is skipped: neither prolonged nor lost. */
async function renew(db: Db, o: { tokens: readonly string[]; leaseMs: number }): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ lease_token: string }>`
    with free as (
      select p.id from partitions p where p.lease_token = any (${o.tokens}) order by p.id for update skip locked
    ), renewed as (
      update partitions p set lease_until = now() + ${o.leaseMs} * interval '1 millisecond'
      from free where p.id = free.id
    )
    select p.lease_token from partitions p where p.lease_token = any (${o.tokens})`.execute(db)
  return new Set(rows.map((row) => row.lease_token))
}

/** A row that is being published is left alone: its transaction ends by itself, either way. */
const letGo = (db: Db, o: { partition: Partition; generation: number; workerId: string }): Promise<boolean> =>
  touched(db, sql`
    with held as (
      select p.id from partitions p
      where ${isPartition(o.partition)} and p.generation = ${o.generation} and p.lease_holder = ${o.workerId}
      for no key update of p skip locked
    )
    update partitions p set crashes = 0, code = 'INTERRUPTED', message = 'the worker was shut down', ${freed}
    from held where p.id = held.id returning p.id`)

const NEXT_STATE = { download: 'converting', convert: 'uploading', upload: 'verifying' } as const satisfies Record<
  Advance['stage'],
  State
>

function commit(db: Db, claimed: Claim, advance: Advance): Promise<boolean> {
  const { stage, ...part } = advance
  const work: Work = { ...claimed.work, ...part }
  return touched(db, sql`
    update partitions p set state = ${NEXT_STATE[stage]}, work = p.work || ${jsonText(part)}::jsonb, crashes = 0,
      staged_bytes = ${stagedBytesOf(work)}, code = null, message = null, ${freed}
    where ${isHeldBy(claimed)} and p.state in ${stateList(STATES_OF[stage])} returning p.id`)
}

function end(db: Db, claimed: Claim, ended: Ended): Promise<boolean> {
  const { state, code, attempt } = ended
  const message = plainText(ended.message)
  const facts = jsonText(ended.facts)
  const kept = ended.kept === undefined || ended.kept === null ? null : plainText(ended.kept)
  const quarantined = sql`
    insert into quarantine (partition_id, generation, code, message, facts, findings, kept)
    select ended.id, ${claimed.generation}, ${code}, ${message}, ${facts}::jsonb,
      ${jsonText(ended.findings ?? [])}::jsonb, ${kept}
    from ended where ${state === 'quarantined'}
    on conflict (partition_id) do update set generation = excluded.generation, code = excluded.code, since = now(),
      message = excluded.message, facts = excluded.facts, findings = excluded.findings, kept = excluded.kept`
  return touched(db, sql`
    with ended as (
      update partitions p set state = ${state}, code = ${code}, message = ${message}, facts = ${facts}::jsonb,
        crashes = 0, ended_stage = ${claimed.stage}, ended_attempt = ${attempt}, staged_bytes = 0,
        work = ${jsonText(settledWork(claimed.work))}::jsonb, ${freed}
      where ${isHeldBy(claimed)} returning p.id
    ), quarantined as (${quarantined})
    select id from ended`)
}

const reopen = (db: Db, o: { partition: Partition; generation: number }): ReturnType<StageCatalog['reopen']> =>
  raised(db, sql`
    update partitions p set ${startedOver(null)} where ${isPartition(o.partition)} and p.generation = ${o.generation}
      and p.state in ('failed', 'quarantined') and ${leaseIsFree} returning p.generation`)

async function stagedBytes(db: Db): Promise<number> {
  const { rows } = await sql<{ bytes: number }>`
    select coalesce(sum(staged_bytes), 0)::bigint as bytes from partitions where staged_bytes > 0`.execute(db)
  return rows[0]?.bytes ?? 0
}
