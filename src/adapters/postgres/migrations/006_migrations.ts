import { sql, type Kysely, type Migration } from 'kysely'

/** What comparisons of hot rows with their months found: see hot/migration-catalog.ts. */
const TABLE = `
create table hot_reports (
  id bigint primary key generated always as identity,
  hot_rows bigint not null,
  warm_rows bigint not null,
  differing bigint not null,
  at timestamptz not null default now(),
  dataset text collate "C" not null,
  symbol text collate "C" not null,
  "interval" text collate "C" not null,
  month text collate "C" not null,
  etag text not null,
  columns jsonb not null,
  differences jsonb not null
)`

export const hotReports: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql.raw(TABLE).execute(db)
    await sql`create index hot_reports_month on hot_reports (dataset, symbol, "interval", month, id)`.execute(db)
  },
}
