import { sql, type Kysely, type Migration } from 'kysely'

/*
 * `numeric` without a scale keeps what it is given to the last digit, prices of eight decimals and doubles alike.
 * Integers of 10^-8 would be shorter, but volumes of cheap coins pass 10^12 and leave 64 bits. Columns of fixed length
 * come first: no bytes are lost between them.
 */
const TABLES = `
create table hot_series (
  id integer primary key generated always as identity,
  dataset text collate "C" not null,
  symbol text collate "C" not null,
  "interval" text collate "C" not null,
  unique (dataset, symbol, "interval")
);

create table hot_candles (
  open_time timestamptz not null,
  close_time timestamptz not null,
  trades bigint not null,
  series_id integer not null,
  standing smallint not null,
  open numeric not null,
  high numeric not null,
  low numeric not null,
  close numeric not null,
  volume numeric not null,
  quote_volume numeric not null,
  taker_buy_volume numeric not null,
  taker_buy_quote_volume numeric not null,
  primary key (series_id, open_time)
) partition by range (open_time);
`

/** Hot rows. Partitions are made when a row of their day comes: see hot/days.ts. */
export const hot: Migration = {
  up: async (db: Kysely<unknown>) => {
    for (const statement of TABLES.split(/;\n+(?=create )/)) await sql.raw(statement).execute(db)
  },
}
