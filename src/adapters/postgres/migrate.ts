import { Migrator, sql, type Kysely, type Migration } from 'kysely'
import { asPipelineError, PipelineError } from '../../domain/errors.js'
import { MIGRATIONS } from './migrations/index.js'

const TABLE = 'migrations'

type Migrations = Readonly<Record<string, Migration>>

/**
 * Brings the schema to this program's version. Any number of processes may call it at once: kysely runs all that is
 * missing in one transaction under an advisory lock. An up-to-date database is only read, so a role that may not create
 * tables will do.
 * @throws {CATALOG_NEWER} when the database was migrated by a newer program
 */
export async function migrate(db: Kysely<unknown>, schema: string, migrations: Migrations = MIGRATIONS): Promise<void> {
  const applied = await appliedIn(db, schema)
  refuseNewer(applied, migrations, schema)
  if (Object.keys(migrations).every((name) => applied.includes(name))) return
  const migrator = new Migrator({
    db,
    provider: { getMigrations: () => Promise.resolve({ ...migrations }) },
    migrationTableSchema: schema,
    migrationTableName: TABLE,
    migrationLockTableName: `${TABLE}_lock`,
  })
  const { error } = await migrator.migrateToLatest()
  if (error === undefined) return
  // A newer program may have been faster since we looked.
  refuseNewer(await appliedIn(db, schema), migrations, schema)
  throw asPipelineError(error)
}

/** Names of the migrations that the database has had; none when it has never had any. */
async function appliedIn(db: Kysely<unknown>, schema: string): Promise<readonly string[]> {
  const { rows } = await sql<{ found: boolean }>`select exists (
    select from pg_tables where schemaname = ${schema} and tablename = ${TABLE}) as found`.execute(db)
  if (!rows[0]?.found) return []
  const names = await sql<{ name: string }>`select name from ${sql.id(schema, TABLE)} order by name`.execute(db)
  return names.rows.map((row) => row.name)
}

const numberOf = (name: string | undefined): number => Number.parseInt(name ?? '0', 10)

function refuseNewer(applied: readonly string[], known: Migrations, schema: string): void {
  if (applied.every((name) => Object.hasOwn(known, name))) return
  const [database, program] = [Math.max(...applied.map(numberOf)), Math.max(...Object.keys(known).map(numberOf))]
  const message = `the catalog is at version ${database}, this program knows up to ${program}`
  throw new PipelineError('CATALOG_NEWER', message, {
    at: `schema ${schema}`,
    database,
    program,
    do: 'update candlelake to the version that the other processes run, or use another database',
  })
}
