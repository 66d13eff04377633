import type pg from 'pg'
import { sql, type Kysely } from 'kysely'
import { STANDINGS, type HotCandle, type Standing } from '../../../domain/hot-candle.js'
import { checkSeries, type Series } from '../../../domain/partition.js'
import { PipelineError } from '../../../domain/errors.js'
import { dayOfUs, type Day } from '../../../domain/month.js'
import { announcing, CHANGE_ON_CONFLICT } from './announce.js'
import { copyIn } from './copy-in.js'
import { ensureDays, sharedLocks } from './days.js'
import { idOf, TYPE_OF, VALUE_COLUMNS, valuesOf } from './rows.js'
import { inTransaction, type HotPool } from './session.js'

/** From so many rows on, COPY and a merge take less time than arrays: see bench/README.md. */
export const COPY_FROM_ROWS = 500
/** Between the look for a partition and the write, retention may drop it; twice is a coincidence, ten times is not. */
const TRIES = 10
/** check_violation: no partition of this day. */
const NO_PARTITION = '23514'

const COLUMNS = VALUE_COLUMNS.join(', ')
const KEYED = `series_id, standing, change, ${COLUMNS}`
const ARRAYS = VALUE_COLUMNS.map((column, i) => `$${i + 5}::text[]::${TYPE_OF(column)}[]`).join(', ')

/** A row gives way to one that is known as well or better. */
const ON_CONFLICT = `on conflict (series_id, open_time) do update
  set ${['standing', ...VALUE_COLUMNS.slice(1)].map((column) => `${column} = excluded.${column}`).join(', ')},
    ${CHANGE_ON_CONFLICT}
  where c.standing <= excluded.standing`

export type Batch = {
  readonly series: Series
  readonly standing: number
  readonly rows: readonly HotCandle[]
}

/** By arrays: one statement, whatever the number of rows; null where the series is unknown. */
export async function mergeArrays(client: pg.ClientBase, batch: Batch): Promise<number | null> {
  const columns: string[][] = VALUE_COLUMNS.map(() => [])
  for (const row of batch.rows) valuesOf(row).forEach((value, i) => columns[i]?.push(value))
  const select = `select n.id, $4::smallint, n.change, t.* from n, unnest(${ARRAYS}) as t`
  return await announced(client, batch, select, columns)
}

/** By COPY into a table of this transaction, and one merge. */
export async function mergeCopy(client: pg.ClientBase, batch: Batch): Promise<number | null> {
  await client.query(`create temp table hot_given on commit drop as select ${COLUMNS} from hot_candles with no data`)
  await copyIn(client, `copy hot_given (${COLUMNS}) from stdin`, linesOf(batch.rows))
  return await announced(client, batch, `select n.id, $4::smallint, n.change, ${COLUMNS} from n, hot_given`, [])
}

/** Merges what `select` gives, and tells what is news; gives how many were stored, or null: the series is unknown. */
async function announced(
  client: pg.ClientBase, { series: { dataset, symbol, interval }, standing }: Batch, select: string, more: readonly unknown[],
): Promise<number | null> {
  const insert = `insert into hot_candles as c (${KEYED}) ${select} ${ON_CONFLICT}`
  const values = [dataset, symbol, interval, standing, ...more]
  const { rows } = await client.query<{ stored: number }>(announcing(insert), values)
  return rows[0]?.stored ?? null
}

/** Numbers and instants hold nothing that the text format escapes. */
export function* linesOf(rows: readonly HotCandle[]): Generator<string> {
  for (const row of rows) yield `${valuesOf(row).join('\t')}\n`
}

/**
 * Stores rows of a series, all in one transaction. Its series and partitions are there but for the first row of a day,
 * so few rows are just tried, and what is missing is made then; many are not sent in vain.
 */
export async function save(
  { db, hot, series }: { db: Kysely<unknown>; hot: HotPool; series: Series },
  given: readonly HotCandle[], standing: Standing,
): Promise<number> {
  const rows = [...new Map(given.map((row) => [row.openTimeUs, row])).values()]
  if (rows.length === 0) return 0
  checkSeries(series)
  const batch = { series, standing: STANDINGS.indexOf(standing), rows }
  const days = [...new Set(rows.map(({ openTimeUs }) => dayOfUs(openTimeUs)))]
  const merge = rows.length < COPY_FROM_ROWS ? mergeArrays : mergeCopy
  if (merge === mergeCopy) await prepare(db, series, days)
  for (let tries = 1; ; tries++) {
    const stored = await tried(hot, batch, merge, sharedLocks(days))
    if (stored !== null) return stored
    if (tries === TRIES) throw new PipelineError('UNEXPECTED', `the partitions of ${days.join(', ')} go away`)
    await prepare(db, series, days)
  }
}

/** Null where the series or a partition is missing. */
async function tried(
  hot: HotPool, batch: Batch, merge: typeof mergeArrays, locks: ReturnType<typeof sharedLocks>,
): Promise<number | null> {
  try {
    return await inTransaction(hot, async (client) => {
      await client.query(locks.text, [...locks.values])
      return await merge(client, batch)
    })
  } catch (thrown) {
    if (isMissingPartition(thrown)) return null
    throw thrown
  }
}

const isMissingPartition = (thrown: unknown): boolean =>
  thrown instanceof Error && 'code' in thrown && thrown.code === NO_PARTITION

async function prepare(db: Kysely<unknown>, s: Series, days: readonly Day[]): Promise<void> {
  // Looked for first: a conflict would use up a number all the same.
  await sql`insert into hot_series (dataset, symbol, "interval")
    select ${s.dataset}, ${s.symbol}, ${s.interval} where ${idOf(s)} is null
    on conflict (dataset, symbol, "interval") do nothing`.execute(db)
  await ensureDays(db, days)
}
