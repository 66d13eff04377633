import { sql, type Kysely, type Migration } from 'kysely'

/*
 * What queues are named by: two catalogs on one server would take each other's jobs. 40 random bits, short because
 * every key of a waiting job holds them.
 */
const STATEMENT = `
alter table lake add column catalog_id text not null default left(replace(gen_random_uuid()::text, '-', ''), 10)`

/** The catalog's own id. */
export const lakeId: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql.raw(STATEMENT).execute(db)
  },
}
