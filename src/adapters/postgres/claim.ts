import { randomBytes } from 'node:crypto'
import { sql, type Kysely } from 'kysely'
import { PipelineError } from '../../domain/errors.js'
import type { ClaimResult, StageCatalog } from '../../domain/ports/stage-catalog.js'
import { STAGES, STAGE_OF, STATES_OF, type State } from '../../domain/states.js'
import type { Work } from '../../domain/work.js'
import { fromColumn } from './json-column.js'
import {
  isPartition, leaseIsFree, publishedColumns, publishedOf, stateList, type Db, type PublishedColumns,
} from './rows.js'

type Request = Parameters<StageCatalog['claim']>[0]

const TRIES = 3
const SUSPECT_CRASHES = 2
const ASK_AGAIN_MS = 1_000
/** A process that is stopped here would keep every suspect waiting for as long as a publication may take. */
const SUSPECT_IDLE_MS = 5_000

/** Takes the lease in one statement; only when that touched nothing a second one asks why. */
export async function claim(db: Kysely<unknown>, o: Request, maxCrashes: number): Promise<ClaimResult> {
  try {
    for (let tries = 0; tries < TRIES; tries++) {
      const result = (await take(db, o, Math.min(SUSPECT_CRASHES, maxCrashes))) ?? (await whyNot(db, o, maxCrashes))
      if (result) return result
    }
  } catch (thrown) {
    // The row is locked: somebody publishes it.
    if (!(thrown instanceof PipelineError) || thrown.code !== 'LEASE_HELD') throw thrown
  }
  return { kind: 'held', forMs: ASK_AGAIN_MS }
}

/**
 * A worker that dies has more than one partition in hand, and only one of them may be to blame. Those that saw two
 * deaths in a row are taken one at a time: the one to blame dies alone from then on, and the others come to their end.
 */
async function takeSuspect(db: Kysely<unknown>, o: Request, maxCrashes: number): Promise<ClaimResult | null> {
  return db.transaction().execute(async (trx) => {
    await sql`
      select set_config('idle_in_transaction_session_timeout', ${String(SUSPECT_IDLE_MS)}, true),
        pg_advisory_xact_lock(1129074754, hashtext(current_schema()))`.execute(trx)
    const { rows } = await sql<{ for_ms: number }>`
      select ceil(extract(epoch from p.lease_until - now()) * 1000)::int as for_ms from partitions p
      where p.lease_token is not null and p.lease_until > now() and p.crashes > ${SUSPECT_CRASHES}
        and not (${isPartition(o.partition)}) limit 1`.execute(trx)
    return rows[0] ? { kind: 'held', forMs: rows[0].for_ms } : await take(trx, o, maxCrashes)
  })
}

async function take(db: Db, o: Request, maxCrashes: number): Promise<ClaimResult | null> {
  const { stage, partition, generation, workerId } = o
  const token = randomBytes(10).toString('hex')
  const active: State = stage === 'download' ? 'downloading' : (STATES_OF[stage][0] ?? 'downloading')
  const { rows } = await sql<PublishedColumns & { work: unknown }>`
    update partitions p set state = ${active}, lease_token = ${token}, lease_holder = ${workerId},
      lease_until = now() + ${o.leaseMs} * interval '1 millisecond', crashes = p.crashes + 1,
      updated_at = now(), checked_at = now()
    where ${isPartition(partition)} and p.generation = ${generation} and p.state in ${stateList(STATES_OF[stage])}
      and (${leaseIsFree} or p.lease_holder = ${workerId}) and p.crashes < ${maxCrashes}
    returning p.work, ${publishedColumns}`.execute(db)
  const row = rows[0]
  if (!row) return null
  const work = fromColumn<Work>(row.work)
  const published = publishedOf(row)
  return { kind: 'claimed', claim: { stage, partition, generation, token, workerId, work, published } }
}

type Seen = {
  readonly state: State
  readonly generation: number
  readonly crashes: number
  readonly free: boolean
  readonly lease_holder: string | null
  readonly for_ms: number | null
  readonly ended_attempt: number | null
}

/** Null when the row could be claimed by now. */
async function whyNot(db: Kysely<unknown>, o: Request, maxCrashes: number): Promise<ClaimResult | null> {
  const { rows } = await sql<Seen>`
    select p.state, p.generation, p.crashes, p.lease_holder, p.ended_attempt, ${leaseIsFree} as free,
      ceil(extract(epoch from p.lease_until - now()) * 1000)::int as for_ms
    from partitions p where ${isPartition(o.partition)}`.execute(db)
  const row = rows[0]
  if (row?.generation !== o.generation || row.state === 'cancelled') return { kind: 'superseded' }
  if (row.state === 'failed' || row.state === 'quarantined') {
    return { kind: 'ended', state: row.state, attempt: row.ended_attempt ?? 0 }
  }
  const stage = STAGE_OF[row.state]
  if (stage !== o.stage) return otherStage(o, stage)
  if (!row.free && row.lease_holder !== o.workerId) return { kind: 'held', forMs: Math.max(0, row.for_ms ?? 0) }
  if (row.crashes >= maxCrashes) return { kind: 'poisoned', crashes: row.crashes }
  return row.crashes >= SUSPECT_CRASHES ? await takeSuspect(db, o, maxCrashes) : null
}

/** A job of a stage that the row has not come to has nothing to do either: whoever brings it there adds the job. */
function otherStage(o: Request, stage: (typeof STAGES)[number] | null): ClaimResult {
  const isAhead = stage === null || STAGES.indexOf(stage) > STAGES.indexOf(o.stage)
  return isAhead ? { kind: 'ahead', stage } : { kind: 'superseded' }
}
