import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { Db } from './rows.js'

/**
 * Of a comparer that died the others wait so long. One that takes longer gets company, which costs requests only: what
 * either has compared to its end counts, and the turn is ended by whoever has it.
 */
const TURN_MS = 300_000

type Turn = { readonly token: string; readonly since: Date; readonly began: Date }

/** What `KeeperCatalog.comparing` promises. The turn is a row's, not a lock's: no connection is held while objects are read. */
export async function comparing<T>(db: Db, everyMs: number, effect: (since: Date) => Promise<T>): Promise<T | null> {
  const turn = await take(db, everyMs)
  if (!turn) return null
  let isDone = false
  try {
    const result = await effect(turn.since)
    isDone = true
    return result
  } finally {
    await end(db, turn, isDone)
  }
}

/**
 * Once a period, whoever comes first. What changed a period before the last turn is looked at again: `updated_at` is the
 * time at which a transaction began, and a publication may have been under way then.
 */
async function take(db: Db, everyMs: number): Promise<Turn | null> {
  const token = randomUUID()
  const period = sql`${everyMs} * interval '1 millisecond'`
  const { rows } = await sql<{ since: Date; began: Date }>`
    update lake set comparer = ${token}, comparing_until = now() + ${TURN_MS} * interval '1 millisecond'
    where compared_at <= now() - ${period} and (comparing_until is null or comparing_until <= now())
    returning compared_at - ${period} as since, now() as began`.execute(db)
  return rows[0] ? { token, ...rows[0] } : null
}

async function end(db: Db, { token, began }: Turn, isDone: boolean): Promise<void> {
  await sql`
    update lake set
      compared_at = case when ${isDone} then greatest(compared_at, ${began}::timestamptz) else compared_at end,
      comparer = case when comparer = ${token} then null else comparer end,
      comparing_until = case when comparer = ${token} then null else comparing_until end`.execute(db)
}
