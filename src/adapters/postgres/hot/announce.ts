import type pg from 'pg'
import { STANDINGS } from '../../../domain/hot-candle.js'
import { VALUE_COLUMNS } from './rows.js'

const CLOSED = STANDINGS.indexOf('closed')
const VALUES = VALUE_COLUMNS.slice(1)
const valuesOf = (row: string): string => `(${VALUES.map((column) => `${row}.${column}`).join(', ')})`
const DIFFER = `${valuesOf('c')} is distinct from ${valuesOf('excluded')}`

/**
 * How a replaced row is marked: as news when it becomes readable or reads otherwise. What is merely better known now is
 * no news.
 */
export const CHANGE_ON_CONFLICT = `
  change = case when excluded.standing >= ${CLOSED} and (c.standing < ${CLOSED} or ${DIFFER})
    then excluded.change else c.change end,
  corrected = c.corrected or (c.standing >= ${CLOSED} and ${DIFFER})`

/** The channel's name ends in this; before it stands the schema. */
export const CHANNEL_SUFFIX = '_hot'

/** The number of a write of a series; other writers of the series wait until this transaction ends. */
export async function nextChange(client: pg.ClientBase, seriesId: number): Promise<number> {
  const { rows } = await client.query<{ changes: number }>(
    'select changes from hot_series where id = $1 for no key update', [seriesId])
  return (rows[0]?.changes ?? 0) + 1
}

/**
 * An insert of rows of a series ($1) under a number ($2) and a standing ($3), which also records the days that hold
 * news, raises the series' number and tells those who listen: the series ($4), the number, and the first and last open
 * time of what is new. One notification a write, of less than 200 bytes, and part of it: a commit with a notification
 * holds a lock that all such commits share, yet without it a writer that dies after its commit would tell nobody. Per
 * row, or by a trigger, there would be more of them and nothing else.
 */
export const announcing = (insert: string): string => `
  with stored as (${insert} returning c.open_time, c.change),
    news as (select open_time from stored where change = $2::bigint and $3::smallint >= ${CLOSED}),
    days as (insert into hot_changes as d (series_id, day, change)
      select $1::int, (open_time at time zone 'UTC')::date, $2::bigint from news group by 1, 2
      on conflict (series_id, day) do update set change = excluded.change),
    raised as (update hot_series set changes = $2::bigint where id = $1::int and exists (select from news)),
    told as (select min(open_time) as first, max(open_time) as last from news)
  select (select count(*) from stored) as stored, case when first is null then null else
    pg_notify(current_schema() || '${CHANNEL_SUFFIX}', concat_ws(' ', $4::text, $2::bigint,
      (extract(epoch from first) * 1000000)::bigint, (extract(epoch from last) * 1000000)::bigint)) end
  from told`
