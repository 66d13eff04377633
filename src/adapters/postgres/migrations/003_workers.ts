import { sql, type Kysely, type Migration } from 'kysely'

/* When a worker was found silent: set once, so that of all the processes that look only one tells of it. */
const STATEMENT = 'alter table workers add column lost_at timestamptz'

/** Workers that died are marked. */
export const workersLost: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql.raw(STATEMENT).execute(db)
  },
}
