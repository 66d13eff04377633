import { sql, type Kysely, type Migration } from 'kysely'

/*
 * Up to when published objects have been compared with their rows, and who compares now: of many workers one at a time.
 * What changed in the hour before is compared once more. The index finds what changed lately; rows that were never
 * published, as all are in a backfill until their last step, are not in it.
 */
const STATEMENTS = [
  `alter table lake add column compared_at timestamptz not null default now() - interval '1 hour',
     add column comparer text, add column comparing_until timestamptz,
     add constraint comparer_whole check (num_nulls(comparer, comparing_until) in (0, 2))`,
  'create index partitions_changed on partitions (updated_at) where published_key is not null',
]

/** One comparer at a time. */
export const comparing: Migration = {
  up: async (db: Kysely<unknown>) => {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
  },
}
