import { sql, type Kysely, type RawBuilder } from 'kysely'
import { dayStartUs, US_PER_DAY, type Day } from '../../../domain/month.js'
import type { Db } from '../rows.js'
import { closeLikeParent } from '../supabase.js'
import { instantText } from './rows.js'

export const tableOf = (day: Day): string => `hot_candles_${day.replaceAll('-', '')}`

/**
 * Locks by number, one a day since 1970. Whoever writes rows of a day shares its lock, taken before any of tables; who
 * drops the day has it alone. A lock on the table would not do: a writer that waits for the day's table holds the
 * parent's lock, which a drop needs too, and both would wait for each other.
 */
const DAY_LOCKS = 1_751_217_011
const DDL_LOCK = 1_751_217_012
const REMOVAL_LOCK = 1_751_217_013

const numberOf = (day: Day): number => Number(dayStartUs(day) / US_PER_DAY)

/** Statement that takes the locks of days, shared by writers, in one order for all. */
export const sharedLocks = (days: readonly Day[]): { readonly text: string; readonly values: readonly unknown[] } => ({
  text: `select pg_advisory_xact_lock_shared(${DAY_LOCKS}, n) from unnest($1::int[]) n`,
  values: [days.map(numberOf).sort((a, b) => a - b)],
})

/** Waits for those who write rows of the day, and keeps others from it until the transaction ends. */
export const exclusiveLock = (day: Day): RawBuilder<unknown> =>
  sql`select pg_advisory_xact_lock(${sql.lit(DAY_LOCKS)}, ${numberOf(day)}::int)`

/**
 * Whoever removes days has it until the transaction ends. Two who have counted hold the parent's lock each, and a drop
 * wants it alone: both would wait for each other. One key for each schema.
 */
export const removalLock = sql`select pg_advisory_xact_lock(${sql.lit(REMOVAL_LOCK)}, hashtext(current_schema()))`

/** Partitions of the table, by name, whatever days they are of. */
const partitions = sql`select relname from pg_inherits join pg_class on pg_class.oid = inhrelid
  where inhparent = 'hot_candles'::regclass`

/** Days that have a partition, in order. */
export async function existingDays(db: Db): Promise<Day[]> {
  const { rows } = await sql<{ day: Day }>`
    select to_char(to_date(right(relname, 8), 'YYYYMMDD'), 'YYYY-MM-DD') as day from (${partitions}) p
    order by 1`.execute(db)
  return rows.map(({ day }) => day)
}

/**
 * Makes the partitions of days that have none. They are made apart and attached: that takes a lock which readers and
 * writers of other days pass by, where CREATE TABLE … PARTITION OF would stop them.
 */
export async function ensureDays(db: Kysely<unknown>, days: readonly Day[]): Promise<void> {
  const have = new Set(await existingDays(db))
  const missing = days.filter((day) => !have.has(day)).sort()
  if (missing.length === 0) return
  await db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(${DDL_LOCK})`.execute(trx)
    const now = new Set(await existingDays(trx))
    for (const day of missing.filter((one) => !now.has(one))) {
      const [table, from] = [sql.id(tableOf(day)), dayStartUs(day)]
      await sql`create table ${table} (like hot_candles including all)`.execute(trx)
      await closeLikeParent(trx, tableOf(day))
      await sql`alter table hot_candles attach partition ${table} for values
        from (${sql.lit(instantText(from))}) to (${sql.lit(instantText(from + US_PER_DAY))})`.execute(trx)
    }
  })
}
