import type pg from 'pg'
import { sql, type Kysely } from 'kysely'
import { STANDINGS, type HotCandle, type Standing } from '../../../domain/hot-candle.js'
import { seriesKeyOf, type Series } from '../../../domain/partition.js'
import { PipelineError } from '../../../domain/errors.js'
import { announcing, CHANGE_ON_CONFLICT, nextChange } from './announce.js'
import { copyIn } from './copy-in.js'
import { dayOfUs, ensureDays, sharedLocks } from './days.js'
import { idOf, TYPE_OF, VALUE_COLUMNS, valuesOf } from './rows.js'
import { inTransaction, type HotPool } from './session.js'

/** From so many rows on, COPY and a merge take less time than arrays: see bench/README.md. */
export const COPY_FROM_ROWS = 2_000
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

/** `change` is the number of this write in its series, held until the transaction ends. */
export type Batch = {
  readonly series: Series
  readonly seriesId: number
  readonly standing: number
  readonly change: number
  readonly rows: readonly HotCandle[]
}

/** By arrays: one statement, whatever the number of rows. */
export async function mergeArrays(client: pg.ClientBase, batch: Batch): Promise<number> {
  const columns: string[][] = VALUE_COLUMNS.map(() => [])
  for (const row of batch.rows) valuesOf(row).forEach((value, i) => columns[i]?.push(value))
  const select = `select $1::int, $3::smallint, $2::bigint, t.* from unnest(${ARRAYS}) as t`
  return await announced(client, batch, select, columns)
}

/** By COPY into a table of this transaction, and one merge. */
export async function mergeCopy(client: pg.ClientBase, batch: Batch): Promise<number> {
  await client.query(`create temp table hot_given on commit drop as select ${COLUMNS} from hot_candles with no data`)
  await copyIn(client, `copy hot_given (${COLUMNS}) from stdin`, linesOf(batch.rows))
  return await announced(client, batch, `select $1::int, $3::smallint, $2::bigint, ${COLUMNS} from hot_given`, [])
}

/** Merges what `select` gives, and records and tells which rows are news; gives how many were stored. */
async function announced(
  client: pg.ClientBase, { series, seriesId, standing, change }: Batch, select: string, more: readonly unknown[],
): Promise<number> {
  const insert = `insert into hot_candles as c (${KEYED}) ${select} ${ON_CONFLICT}`
  const values = [seriesId, change, standing, seriesKeyOf(series), ...more]
  const { rows } = await client.query<{ stored: number }>(announcing(insert), values)
  return rows[0]?.stored ?? 0
}

/** Numbers and instants hold nothing that the text format escapes. */
export function* linesOf(rows: readonly HotCandle[]): Generator<string> {
  for (const row of rows) yield `${valuesOf(row).join('\t')}\n`
}

/** Stores rows of a series: makes partitions that are missing, then merges all rows in one transaction. */
export async function save(
  { db, hot, series }: { db: Kysely<unknown>; hot: HotPool; series: Series },
  given: readonly HotCandle[], standing: Standing,
): Promise<number> {
  const rows = [...new Map(given.map((row) => [row.openTimeUs, row])).values()]
  if (rows.length === 0) return 0
  const batch = { series, seriesId: await ensureSeries(db, series), standing: STANDINGS.indexOf(standing), rows }
  const days = [...new Set(rows.map(({ openTimeUs }) => dayOfUs(openTimeUs)))]
  const merge = rows.length < COPY_FROM_ROWS ? mergeArrays : mergeCopy
  const locks = sharedLocks(days)
  for (let tries = 1; ; tries++) {
    await ensureDays(db, days)
    try {
      return await inTransaction(hot, async (client) => {
        await client.query(locks.text, [...locks.values])
        return await merge(client, { ...batch, change: await nextChange(client, batch.seriesId) })
      })
    } catch (thrown) {
      if (!isMissingPartition(thrown) || tries === TRIES) throw thrown
    }
  }
}

const isMissingPartition = (thrown: unknown): boolean =>
  thrown instanceof Error && 'code' in thrown && thrown.code === NO_PARTITION

async function ensureSeries(db: Kysely<unknown>, s: Series): Promise<number> {
  const known = (await sql<{ id: number | null }>`select ${idOf(s)} as id`.execute(db)).rows[0]?.id
  if (known) return known
  const { rows } = await sql<{ id: number }>`
    insert into hot_series (dataset, symbol, "interval") values (${s.dataset}, ${s.symbol}, ${s.interval})
    on conflict (dataset, symbol, "interval") do update set symbol = excluded.symbol returning id`.execute(db)
  if (rows[0]) return rows[0].id
  throw new PipelineError('UNEXPECTED', 'the database gave no id for a series')
}
