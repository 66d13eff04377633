import pg from 'pg'
import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely'
import { PipelineError } from '../../domain/errors.js'
import type { Log } from '../../domain/ports/observe.js'
import { catalogError, verdictOf, type Whereabouts } from './failure.js'

const CONNECT_MS = 10_000
const STATEMENT_MS = 30_000
/** Longer than the server's own limit: it only ends a statement whose connection went silent. */
const SILENCE_MS = STATEMENT_MS + 5_000
/** How long anyone waits for a row: a publication holds its row while the object is moved. */
const LOCK_MS = 10_000
/** A stopped or cut-off worker keeps its row locked no longer than this. */
const IDLE_IN_TRANSACTION_MS = 300_000

export type PoolOptions = {
  readonly connection: pg.PoolConfig | string
  readonly maxConnections: number
  readonly applicationName: string
  readonly schema: string
  readonly log?: Log | undefined
}

/** A pool whose connections look into `schema` first, read int8 as number, and have time limits for everything. */
export function openPool(o: PoolOptions): { readonly pool: pg.Pool; readonly where: Whereabouts } {
  const given = typeof o.connection === 'string' ? { connectionString: o.connection } : o.connection
  const where = whereaboutsOf(given)
  const pool = new pg.Pool({
    ...given,
    max: o.maxConnections,
    application_name: o.applicationName,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: SILENCE_MS,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: TYPES,
    verify: (client, done) => {
      prepareSession(client, o.schema).then(() => done(), done)
    },
  })
  const report = (error: Error): void => {
    o.log?.warn('catalog.connection_lost', { at: where.at, why: messageFor(error, where) })
  }
  pool.on('error', report)
  // A connection that breaks while a transaction holds it has no other listener, and would end the process.
  pool.on('connect', (client) => client.on('error', report))
  return { pool, where }
}

/**
 * Settings by statement, not by startup parameters, which poolers in front of a database refuse. `search_path` lasts as
 * long as the session: a pooler must be in session mode.
 */
async function prepareSession(client: pg.ClientBase, schema: string): Promise<void> {
  const settings = {
    search_path: pg.escapeIdentifier(schema),
    statement_timeout: STATEMENT_MS,
    lock_timeout: LOCK_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    timezone: 'UTC',
    datestyle: 'ISO',
    // A backend compiles nothing here that it would run long enough.
    jit: 'off',
  }
  const calls = Object.entries(settings).map(([name, value]) => `set_config('${name}', '${value}', false)`)
  await client.query(`select ${calls.join(', ')}`)
}

function messageFor(error: unknown, where: Whereabouts): string {
  const coded = catalogError(error, where, true)
  return coded instanceof Error ? coded.message : String(coded)
}

/** @throws {BAD_CONFIG} without a cause: the parser's error holds the whole text, password included */
function whereaboutsOf(config: pg.PoolConfig): Whereabouts {
  try {
    const { host, port, database, password } = new pg.Client(config)
    const at = host.startsWith('/') ? `${host}/${database ?? ''}` : `${host}:${port}/${database ?? ''}`
    return { at, password: typeof password === 'string' ? password : null }
  } catch {
    throw new PipelineError('BAD_CONFIG', 'the address of the catalog cannot be read', {
      at: 'DATABASE_URL',
      do: 'use postgres://user:password@host:5432/database',
    })
  }
}

const INT8: number = pg.types.builtins.INT8

/** Our own table of parsers: the driver's is shared by every pool of the process. */
const TYPES: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === INT8 && format !== 'binary' ? safeInteger : defaultParser(oid, format ?? 'text'),
}

const defaultParser = pg.types.getTypeParser as (oid: number, format: 'text' | 'binary') => (text: string) => unknown

function safeInteger(text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value)) return value
  throw new RangeError(`${text} does not fit a number`)
}

/**
 * The pool as kysely uses it. Every failure of a connection becomes a coded error here, and a connection that failed is
 * closed instead of given to the next caller: after a read timeout it would still be busy.
 */
export function guarded(pool: pg.Pool, where: Whereabouts): PostgresPool {
  return {
    connect: async () => {
      try {
        return guardedClient(await pool.connect(), where)
      } catch (thrown) {
        throw catalogError(thrown, where, true)
      }
    },
    end: () => pool.end(),
  }
}

function guardedClient(client: pg.PoolClient, where: Whereabouts): PostgresPoolClient {
  let broken: Error | undefined
  const query = async (text: string, parameters: readonly unknown[]): Promise<unknown> => {
    // The server rolls back what a lost connection left open; a failing "rollback" would hide why it was asked for.
    if (broken && text === 'rollback') return { command: 'SELECT', rowCount: 0, rows: [] }
    try {
      return await client.query(text, [...parameters])
    } catch (thrown) {
      if (verdictOf(thrown).broken) broken = thrown instanceof Error ? thrown : new Error(String(thrown))
      if (text === 'rollback' && broken) return { command: 'SELECT', rowCount: 0, rows: [] }
      throw catalogError(thrown, where)
    }
  }
  return {
    query: query as <R>(text: string, parameters: readonly unknown[]) => Promise<PostgresQueryResult<R>>,
    release: () => client.release(broken),
  } as PostgresPoolClient
}
