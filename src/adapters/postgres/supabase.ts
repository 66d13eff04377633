import { sql, type RawBuilder } from 'kysely'
import type { Db } from './rows.js'

/** The roles that Supabase gives to whoever comes from a browser; on another server they are nobody's. */
const ROLES = ['anon', 'authenticated']
const PUBLICATION = 'supabase_realtime'

const literal = (text: string): RawBuilder<unknown> => sql.lit(text)

/** Those of the roles that this server has. */
async function publicRoles(db: Db): Promise<readonly string[]> {
  const { rows } = await sql<{ name: string }>`
    select rolname as name from pg_roles where rolname in (${sql.join(ROLES.map(literal))}) order by 1`.execute(db)
  return rows.map(({ name }) => name)
}

/**
 * Hot rows into Realtime's publication, where it is: partitions of days to come are in it with their parent. It may be
 * another's, whose owner alone can add to it: then it is left as it is.
 */
export async function publishHot(db: Db): Promise<void> {
  const { rows } = await sql<{ mine: boolean }>`
    select pg_has_role(pubowner, 'usage') and not puballtables and not exists (
      select from pg_publication_rel where prpubid = p.oid and prrelid = 'hot_candles'::regclass) as mine
    from pg_publication p where pubname = ${PUBLICATION}`.execute(db)
  if (rows[0]?.mine) await sql`alter publication ${sql.id(PUBLICATION)} add table hot_candles`.execute(db)
}

/**
 * Closes every table of the schema to the public roles, where there are any: row level security without a policy, and
 * no grant, whatever the server's defaults gave them. Their owner, who works here, is not held by either.
 */
export async function closeToPublic(db: Db): Promise<void> {
  const roles = await publicRoles(db)
  if (roles.length === 0) return
  const { rows } = await sql<{ name: string; schema: string }>`
    select relname as name, current_schema() as schema from pg_class
    where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') order by 1`.execute(db)
  for (const { name } of rows) await closeTable(db, name, roles)
  const schema = sql.id(rows[0]?.schema ?? 'candlelake')
  const them = sql.join(roles.map((role) => sql.id(role)))
  await sql`revoke all on all sequences in schema ${schema} from ${them}`.execute(db)
  await sql`revoke all on schema ${schema} from ${them}`.execute(db)
}

async function closeTable(db: Db, name: string, roles: readonly string[]): Promise<void> {
  await sql`alter table ${sql.id(name)} enable row level security`.execute(db)
  await sql`revoke all on ${sql.id(name)} from ${sql.join(roles.map((role) => sql.id(role)))}`.execute(db)
}

/** The same for a partition that was just made: neither security nor grants come from its parent. */
export async function closeLikeParent(db: Db, name: string): Promise<void> {
  const { rows } = await sql<{ closed: boolean }>`
    select relrowsecurity as closed from pg_class where oid = 'hot_candles'::regclass`.execute(db)
  if (rows[0]?.closed) await closeTable(db, name, await publicRoles(db))
}
