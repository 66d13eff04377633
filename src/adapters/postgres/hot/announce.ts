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

/**
 * An insert of rows of a series (dataset $1, symbol $2, interval $3) under a standing ($4), by its id and the number of
 * this write (`n.id`, `n.change`), which also records the days that hold news, raises the series' number and tells those
 * who listen: the series, the number, and the first and last open time of what is new. Other writers of the series wait
 * at its row until the transaction ends. Gives no row where there is no such series yet.
 *
 * One notification a write, of less than 200 bytes, and part of it: a commit with a notification holds a lock that all
 * such commits share, yet without it a writer that dies after its commit would tell nobody. By row, or by a trigger,
 * there would be more of them and nothing else.
 */
export const announcing = (insert: string): string => `
  with n as materialized (select id, changes + 1 as change from hot_series
      where dataset = $1 and symbol = $2 and "interval" = $3 for no key update),
    stored as (${insert} returning c.open_time, c.change),
    news as (select open_time, n.change from stored join n using (change) where $4::smallint >= ${CLOSED}),
    days as (insert into hot_changes as d (series_id, day, change)
      select n.id, (open_time at time zone 'UTC')::date, n.change from news, n group by 1, 2, 3
      on conflict (series_id, day) do update set change = excluded.change),
    told as (select min(open_time) as first, max(open_time) as last from news),
    raised as (update hot_series s set changes = n.change from n, told where s.id = n.id and first is not null)
  select (select count(*) from stored) as stored, case when first is null then null else
    pg_notify(current_schema() || '${CHANNEL_SUFFIX}', concat_ws(' ', $1 || '/' || $2 || '/' || $3, n.change,
      (extract(epoch from first) * 1000000)::bigint, (extract(epoch from last) * 1000000)::bigint)) end
  from told, n`
