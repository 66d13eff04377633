import { sql, type Kysely, type Migration } from 'kysely'
import { closeToPublic, publishHot } from '../supabase.js'

/*
 * Changes of a series are numbered in `hot_series`, whose row a writer holds from the number to its commit: so numbers
 * are committed in order, and who has seen 7 has seen all before it. A sequence would not do: 8 may be committed before
 * 7. Transaction ids and snapshots would, but not past a dump and restore. An index on the number would be paid for by
 * every row; `hot_changes` is paid for by every write, and says in which days to look.
 */
const TABLES = [
  'alter table hot_series add column changes bigint not null default 0',
  `alter table hot_candles add column corrected boolean not null default false,
    add column change bigint not null default 0`,
  `create table hot_changes (
    change bigint not null,
    series_id integer not null,
    day date not null,
    primary key (series_id, day)
  ) with (fillfactor = 80)`,
]

/** Numbered changes of hot rows; on Supabase they are published, and every table is closed to its public roles. */
export const feed: Migration = {
  up: async (db: Kysely<unknown>) => {
    for (const statement of TABLES) await sql.raw(statement).execute(db)
    await publishHot(db)
    await closeToPublic(db)
  },
}
