import { PostgresConnection, PostgresQueueBackend, Queue, quoteSchemaName, type BackendFactory, type IQueueBackend, type PgPool } from 'bullmq'
import pg from 'pg'
import { JOB_STAGES, type JobStage } from '../jobs/stages.js'
import type { BackendOptions, QueueBackend, StageQueue, StoredJob } from './queue-backend.js'
import { migrateQueues } from './postgres-migrate.js'
import { queueError, within } from './queue-error.js'
import { SCHEDULES, startTicks, type TickWorker, type TickWorkerOptions } from './tick-worker.js'
import { StageWorker, type Server, type StageWorkerOptions } from './stage-worker.js'
import { encodeStored, QUEUE_OPTIONS } from './stored-job.js'

const TIMEOUT_MS = 10_000
const CONNECT_MS = 5_000

/** Four workers hold one each for LISTEN; six are left for the queries of workers, queues and server. */
const MAX_CONNECTIONS = 10

/** Migrations of a new schema on a slow disk, and waiting for another process that is at it. */
const MIGRATE_MS = 60_000

/**
 * Queues on Postgres, over one pool that every queue and worker of the process shares. The schema is migrated under
 * BullMQ's advisory lock, so several processes may open at once.
 * @throws {QUEUE_UNREACHABLE, CATALOG_NEWER}
 */
export async function openPostgres(o: BackendOptions & { readonly postgres: pg.PoolConfig | string }): Promise<QueueBackend> {
  const schema = o.schema ?? 'bullmq'
  const config = typeof o.postgres === 'string' ? { connectionString: o.postgres } : o.postgres
  const at = addressOf(config)
  const pool = new pg.Pool({
    ...config,
    max: o.maxConnections ?? MAX_CONNECTIONS,
    application_name: o.name ?? 'candlelake queues',
    options: [config.options, `-c search_path=${quoteSchemaName(schema)}`].filter(Boolean).join(' '),
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: MIGRATE_MS,
    keepAlive: true,
    idleTimeoutMillis: 10_000,
  })
  const close = closer(pool, at)
  // Every queue and worker listens for the pool's errors too.
  pool.setMaxListeners(0)
  pool.on('error', (error) => o.onError?.(queueError(error, at)))
  try {
    await within(MIGRATE_MS, at, () => migrateQueues(pool, schema, at))
  } catch (thrown) {
    await close()
    throw thrown
  }
  return new PostgresBackend(o, at, { pool, close }, schema)
}

class PostgresBackend implements QueueBackend {
  readonly kind = 'postgres'
  readonly at: string
  readonly #o: BackendOptions
  readonly #pool: pg.Pool
  readonly #closePool: () => Promise<void>
  readonly #schema: string
  readonly #queues: ReadonlyMap<JobStage, StageQueue>
  readonly #timeoutMs: number
  #closing: Promise<void> | null = null
  #schedules: StageQueue | null = null

  constructor(o: BackendOptions, at: string, { pool, close }: { pool: pg.Pool; close: () => Promise<void> }, schema: string) {
    this.at = at
    this.#o = o
    this.#pool = pool
    this.#closePool = close
    this.#schema = schema
    this.#timeoutMs = o.timeoutMs ?? TIMEOUT_MS
    this.#queues = new Map(JOB_STAGES.map((stage) => [stage, this.#newQueue(stage)]))
  }

  queue(stage: JobStage): StageQueue {
    const queue = this.#queues.get(stage)
    if (!queue) throw new TypeError(`there is no queue ${stage}`)
    return queue
  }

  schedules(): StageQueue {
    return (this.#schedules ??= this.#newQueue(SCHEDULES))
  }

  ticks(o: TickWorkerOptions): TickWorker {
    return startTicks(this.#server(), o)
  }

  worker(o: StageWorkerOptions): StageWorker {
    return new StageWorker(o, this.#server())
  }

  async add(stage: JobStage, jobs: readonly StoredJob[]): Promise<void> {
    const backend = this.queue(stage).getBackend()
    const [first, ...more] = jobs.map(encodeStored)
    if (!first) return
    // In bulk BullMQ makes and drops two tables: 7 ms of the server's processor, which a stage would pay for each job.
    await within(this.#timeoutMs, this.at, async () => {
      if (more.length === 0) await backend.addJob(first.job, first.jobId)
      else await backend.addJobs([first, ...more])
    })
  }

  async forgetFinished(stage: JobStage, ids: readonly string[]): Promise<void> {
    // Rows that somebody else has at hand are being removed by retention, or run again: waiting for them could deadlock.
    const statement = `delete from job where queue = $1 and id in (
      select id from job where queue = $1 and id = any($2::text[]) and state in ('completed', 'failed') for update skip locked)`
    await within(this.#timeoutMs, this.at, () => this.#pool.query(statement, [stage, ids]))
  }

  async alive(stage: JobStage, ids: readonly string[]): Promise<ReadonlySet<string>> {
    const statement = `select id from job where queue = $1 and id = any($2::text[]) and state not in ('completed', 'failed')`
    const found = await within(this.#timeoutMs, this.at, () => this.#pool.query<{ id: string }>(statement, [stage, ids]))
    return new Set(found.rows.map((row) => row.id))
  }

  async describe(): Promise<string> {
    const statement = `select split_part(current_setting('server_version'), ' ', 1) as version`
    const found = await within(this.#timeoutMs, this.at, () => this.#pool.query<{ version: string }>(statement))
    return `Postgres ${found.rows[0]?.version ?? ''} at ${this.at}`
  }

  async ping(): Promise<void> {
    await within(this.#timeoutMs, this.at, () => this.#pool.query('select 1'))
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    const queues = [...this.#queues.values(), ...(this.#schedules ? [this.#schedules] : [])]
    for (const queue of queues) await queue.close().catch(() => undefined)
    await this.#closePool()
  }

  #newQueue(stage: JobStage | typeof SCHEDULES): StageQueue {
    const server = this.#server()
    const queue = new Queue(stage, { ...server.options, ...QUEUE_OPTIONS }, server.factory) as unknown as StageQueue
    queue.on('error', (error) => this.#o.onError?.(queueError(error, this.at)))
    return queue
  }

  /** As BullMQ's own factory, but over the shared pool and its schema. */
  #server(): Server {
    const factory: BackendFactory<IQueueBackend, unknown> = (name, opts, { withBlockingConnection = false } = {}) => {
      const worker = 'name' in opts && typeof opts.name === 'string' ? `${name}:w:${opts.name}` : name
      const connection = new SharedConnection(this.#pool, this.#schema)
      return new PostgresQueueBackend(connection, name, opts as never, true, withBlockingConnection ? worker : undefined)
    }
    return { options: { connection: this.#pool }, factory }
  }
}

/**
 * A connection of BullMQ over a pool that others use too. BullMQ takes any pool's schema for `bullmq`, and keeps for good
 * that the server was away when it first looked; the schema is ours to say and was looked at when the pool was opened.
 */
class SharedConnection extends PostgresConnection {
  override readonly schema: string

  constructor(pool: pg.Pool, schema: string) {
    super(pool as unknown as PgPool)
    this.schema = schema
  }

  override waitUntilReady(): Promise<void> {
    return Promise.resolve()
  }
}

/**
 * Ends a pool once its connections are closed. `pg-pool` itself ends while they still close, and an embedded server that
 * is stopped right then tells each of them (57P01), and every queue that listens.
 */
function closer(pool: pg.Pool, at: string): () => Promise<void> {
  let open = 0
  let onClosed = (): void => undefined
  pool.on('connect', () => open++)
  pool.on('remove', () => {
    if (--open === 0) onClosed()
  })
  const end = async (): Promise<void> => {
    await pool.end()
    if (open > 0) await new Promise<void>((resolve) => (onClosed = resolve))
  }
  return async () => await within(5_000, at, end).catch(() => undefined)
}

function addressOf(config: pg.PoolConfig): string {
  const { host, port } = new pg.Client(config)
  return host.startsWith('/') ? host : `${host}:${port}`
}
