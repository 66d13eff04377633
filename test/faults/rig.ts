import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type pg from 'pg'
import type { FaultRule } from '../../src/archive-server/fault-rule.js'
import { startArchiveServer, type ArchiveServer } from '../../src/archive-server/server.js'
import type { App, PlanReport } from '../../src/cli/app.js'
import { openApp } from '../../src/compose.js'
import { resolveConfig } from '../../src/config.js'
import type { State } from '../../src/domain/states.js'
import { openBackend, queueNamesOf, type QueueBackend } from '../../src/queues/backend.js'
import { freshDatabase, startServer, type TestServer } from '../support/postgres.js'
import { startRedis, type TestRedis } from '../support/redis.js'
import { tempFolder } from '../support/temp-folder.js'
import { FIRST_MONTH, SYMBOLS, writeSample, type ArchiveSample } from './archive-sample.js'
import { WorkerChild } from './worker-child.js'

export type BackendName = 'redis' | 'postgres'
export const BACKENDS: readonly BackendName[] = ['redis', 'postgres']

/** In the password of every server's address: it may appear in no log line and in no job. */
export const CANARY = 'canary-7d1f0c'

/** Seconds after which a silent worker's job and partition are somebody else's. */
export const LOCK_SECONDS = 2

export type RigOptions = {
  readonly backend: BackendName
  readonly months?: number
  /** A Postgres that the scenario may crash, not the one that all tests share. */
  readonly ownPostgres?: boolean
  readonly appendOnly?: boolean
  readonly archiveFaults?: readonly FaultRule[]
  readonly env?: Readonly<Record<string, string>>
  /** Folders of lake and staging; both are in the rig's own folder where they are not given. */
  readonly lakeDir?: string
  readonly stagingDir?: string
}

/** Everything that a scenario breaks: servers, an archive, a lake, and workers in processes of their own. */
export type Rig = {
  readonly backend: BackendName
  readonly sample: ArchiveSample
  readonly archive: ArchiveServer
  /** Plans, reconciles and reads the catalog from this process; works at nothing. */
  readonly app: App
  readonly queues: QueueBackend
  readonly lakeDir: string
  readonly stagingDir: string
  readonly redis: TestRedis | null
  readonly redisUrl: string | null
  readonly postgres: TestServer | null
  readonly connection: pg.PoolConfig
  /** Every worker that was started, dead ones too. */
  readonly workers: readonly WorkerChild[]
  /** Log lines of this process. */
  readonly log: readonly string[]
  /** Starts a worker; `points` are armed failpoints such as `convert.staged:kill`. */
  worker(o?: { points?: string; env?: Readonly<Record<string, string>> }): WorkerChild
  plan(o?: { symbols?: readonly string[]; months?: readonly [string, string]; force?: boolean }): Promise<PlanReport>
  close(): Promise<void>
}

export async function openRig(o: RigOptions): Promise<Rig> {
  const undo: (() => Promise<unknown>)[] = []
  try {
    return await assemble(o, undo)
  } catch (thrown) {
    await undoAll(undo)
    throw thrown
  }
}

async function assemble(o: RigOptions, undo: (() => Promise<unknown>)[]): Promise<Rig> {
  const home = await tempFolder()
  undo.push(() => home.remove())
  const [lakeDir, stagingDir] = [o.lakeDir ?? join(home.path, 'lake'), o.stagingDir ?? join(home.path, 'staging')]
  for (const dir of [lakeDir, stagingDir]) await mkdir(dir, { recursive: true })
  const sample = await writeSample(o.months ?? 6)
  undo.push(() => sample.remove())
  const archive = await startArchiveServer({ root: sample.root, faults: o.archiveFaults ?? [] })
  undo.push(() => archive.close())
  const postgres = o.ownPostgres ? await startServer() : null
  if (postgres) undo.push(() => postgres.stop())
  const database = postgres ? null : await freshDatabase()
  if (database) undo.push(() => database.drop())
  const connection = database?.connection ?? postgres?.connection ?? {}
  const redis = o.backend === 'redis' ? await startRedis({ appendOnly: o.appendOnly ?? false }) : null
  if (redis) undo.push(() => redis.stop())
  const redisUrl = redis ? `redis://default:${CANARY}@127.0.0.1:${redis.port}` : null
  const env = {
    CANDLELAKE_HOME: home.path,
    DATABASE_URL: addressOf(connection),
    LAKE_URL: pathToFileURL(lakeDir).href,
    STAGING_URL: pathToFileURL(stagingDir).href,
    ARCHIVE_URL: archive.url,
    JOB_LOCK_SECONDS: `${LOCK_SECONDS}`,
    LEASE_SECONDS: `${LOCK_SECONDS}`,
    RECONCILE_SECONDS: '1',
    ENGINE_SLOTS: '2',
    ENGINE_MEMORY_BYTES: '128MiB',
    DOWNLOAD_CONCURRENCY: '4',
    ...(redisUrl === null ? {} : { QUEUE_URL: redisUrl }),
    ...o.env,
  }
  const { config } = await resolveConfig({ flags: {}, environment: env, dotenv: {}, userHome: home.path, cores: 2 })
  const log: string[] = []
  const at = (level: string) => (name: string, fields?: unknown): void =>
    void log.push(JSON.stringify({ level, name, fields }))
  const logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  const app = openApp({ config, observe: () => undefined, log: logger })
  undo.push(() => app.close())
  const lake = await (await app.keeper()).lake()
  const names = queueNamesOf(redisUrl, lake?.catalogId ?? '')
  const queues = await openBackend({ url: redisUrl, postgres: connection, maxConnections: 2, ...names })
  undo.push(() => queues.close())
  const workers: WorkerChild[] = []
  undo.push(() => Promise.all(workers.map((worker) => worker.kill())))
  return {
    backend: o.backend, sample, archive, app, queues, lakeDir, stagingDir, redis, redisUrl, postgres, connection,
    workers, log,
    worker({ points, env: more = {} } = {}) {
      const armed = points === undefined ? {} : { CANDLELAKE_FAILPOINTS: points }
      const whole = { PATH: process.env['PATH'] ?? '', HOME: home.path, ...env, ...armed, ...more }
      const started = new WorkerChild(whole, home.path)
      workers.push(started)
      return started
    },
    plan({ symbols: names = SYMBOLS, months, force = false } = {}) {
      const [firstMonth, lastMonth] = months ?? [FIRST_MONTH, sample.partitions.at(-1)?.month ?? FIRST_MONTH]
      return app.plan(
        { dataset: 'spot-klines', symbols: { names }, intervals: ['1h'], firstMonth, lastMonth },
        { dryRun: false, force, asked: {}, signal: new AbortController().signal, onProgress: () => undefined },
      )
    },
    close: () => undoAll(undo),
  }
}

async function undoAll(undo: (() => Promise<unknown>)[]): Promise<void> {
  const failures: unknown[] = []
  while (undo.length > 0) await undo.pop()?.().catch((thrown: unknown) => failures.push(thrown))
  if (failures.length > 0) throw new AggregateError(failures, `the rig did not come down: ${String(failures[0])}`)
}

/** The folder of a socket, percent-encoded, is the host; these servers trust everybody, whatever the password. */
function addressOf({ host, port, user, database }: pg.PoolConfig): string {
  const at = `${encodeURIComponent(host ?? 'localhost')}${port === undefined ? '' : `:${port}`}`
  return `postgres://${user ?? 'tester'}:${CANARY}@${at}/${database ?? 'postgres'}`
}

/** Waits until `holds` is true; gives false after `ms` milliseconds. */
export async function until(holds: () => boolean | Promise<boolean>, ms: number, everyMs = 50): Promise<boolean> {
  const end = Date.now() + ms
  for (;;) {
    if (await holds()) return true
    if (Date.now() > end) return false
    await sleep(everyMs)
  }
}

/** How many partitions are in this state. */
export async function countOf(rig: Rig, state: State): Promise<number> {
  return (await (await rig.app.keeper()).states())[state]
}
