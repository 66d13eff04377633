import type pg from 'pg'
import { catalogError, verdictOf, type Whereabouts } from '../failure.js'

/** Connections to the hot rows' database. */
export type HotPool = { readonly pool: pg.Pool; readonly where: Whereabouts }

/**
 * One transaction on a connection of its own, which `work` may also COPY over.
 * @throws {CATALOG_UNREACHABLE, LEASE_HELD, DISK_FULL}
 */
export async function inTransaction<T>(
  { pool, where }: HotPool, work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect().catch((thrown: unknown) => {
    throw catalogError(thrown, where, true)
  })
  let broken: Error | undefined
  const breaks = (thrown: unknown): void => {
    broken = thrown instanceof Error ? thrown : new Error(String(thrown))
  }
  try {
    await client.query('begin')
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (thrown) {
    if (verdictOf(thrown).broken) breaks(thrown)
    else await client.query('rollback').catch(breaks)
    throw catalogError(thrown, where)
  } finally {
    client.release(broken)
  }
}
