import { assertSchemaCompatibility, LATEST_SCHEMA_VERSION, runMigrations, SchemaMigrationRequiredError, SchemaVersionMismatchError } from 'bullmq'
import type pg from 'pg'
import { PipelineError } from '../domain/errors.js'

/**
 * Brings BullMQ's schema up to this program's version. A schema that is there already is only read, so a role without
 * the right to create schemas will do for workers.
 * @throws {CATALOG_NEWER} when a newer BullMQ wrote it
 */
export async function migrateQueues(pool: pg.Pool, schema: string, at: string): Promise<void> {
  const client = await pool.connect()
  try {
    if ((await versionOf(client, schema)) < LATEST_SCHEMA_VERSION) await runMigrations(client, schema)
    client.release()
  } catch (thrown) {
    client.release(true)
    if (!(thrown instanceof SchemaVersionMismatchError)) throw thrown
    throw new PipelineError('CATALOG_NEWER', `the queues in schema ${schema} at ${at} are of a newer candlelake`, {
      at, wants: thrown.minimumClientVersion, has: thrown.clientVersion, do: 'upgrade candlelake',
    })
  }
}

async function versionOf(client: pg.PoolClient, schema: string): Promise<number> {
  try {
    return await assertSchemaCompatibility(client, schema)
  } catch (thrown) {
    if (thrown instanceof SchemaMigrationRequiredError) return 0
    throw thrown
  }
}
