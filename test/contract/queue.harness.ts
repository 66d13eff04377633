import { Redis } from 'ioredis'
import pg from 'pg'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JobQueue } from '../../src/domain/ports/job-queue.js'
import type { Job } from '../../src/domain/ports/plan-catalog.js'
import type { Log } from '../../src/domain/ports/observe.js'
import { parsePartitionKey } from '../../src/domain/partition.js'
import { jobIdOf } from '../../src/jobs/stage-job.js'
import { openBackend, type BackendOptions, type QueueBackend } from '../../src/queues/backend.js'
import { openJobQueue } from '../../src/queues/job-queue.js'
import type { StagePolicy } from '../../src/queues/policy.js'
import { startWorkers, type WorkersHandle, type WorkersOptions } from '../../src/workers/runtime.js'
import type { Directive, StartedJob } from '../../src/workers/stage.js'
import { freshDatabase } from '../support/postgres.js'
import { acquireRedis } from '../support/redis.js'

/** A server of the queues with a corner for nobody else. */
export type QueuePlace = {
  readonly kind: QueueBackend['kind']
  readonly options: BackendOptions
  /** Makes a running job's lock somebody else's, for so long. */
  stealLock(job: Job, ms: number): Promise<void>
  /** Makes the queue believe that workers died on a job so often. */
  stalled(job: Job, times: number): Promise<void>
  clean(): Promise<void>
}

export async function redisPlace(): Promise<QueuePlace> {
  const { url, prefix } = await acquireRedis()
  const client = new Redis(url)
  return {
    kind: 'redis',
    options: { url, prefix },
    stealLock: async (job, ms) => {
      await client.set(`${prefix}:${job.stage}:${idOf(job)}:lock`, 'somebody', 'PX', ms)
    },
    stalled: async (job, times) => {
      await client.hset(`${prefix}:${job.stage}:${idOf(job)}`, 'stc', times)
    },
    clean: async () => {
      const keys = await client.keys(`${prefix}:*`)
      for (let i = 0; i < keys.length; i += 1_000) await client.unlink(...keys.slice(i, i + 1_000))
      client.disconnect()
    },
  }
}

export async function postgresPlace(): Promise<QueuePlace> {
  const database = await freshDatabase()
  const execute = async (statement: string, values: unknown[]): Promise<void> => {
    const client = new pg.Client(database.connection)
    await client.connect()
    await client.query(statement, values).finally(() => client.end())
  }
  return {
    kind: 'postgres',
    options: { url: null, postgres: database.connection },
    stealLock: (job, ms) =>
      execute(`update bullmq.job set lock_token = 'x', locked_until_ms = $2 where id = $1`, [idOf(job), Date.now() + ms]),
    stalled: (job, times) => execute('update bullmq.job set stalled_count = $2 where id = $1', [idOf(job), times]),
    clean: () => database.drop(),
  }
}

export const PLACES = [['redis', redisPlace], ['postgres', postgresPlace]] as const

/** The `i`-th of many partitions, as a backfill's download of generation 1 unless said otherwise. */
export function jobOf(i: number, o: Partial<Omit<Job, 'partition'>> = {}): Job {
  const month = `${2017 + (Math.floor(i / 12) % 8)}-${String((i % 12) + 1).padStart(2, '0')}`
  const partition = parsePartitionKey(`spot-klines/COIN${Math.floor(i / 96)}USDT/1h/${month}`)
  return { stage: 'download', generation: 1, kind: 'backfill', ...o, partition }
}

export const jobsOf = (count: number, o: Partial<Omit<Job, 'partition'>> = {}): Job[] =>
  Array.from({ length: count }, (_, i) => jobOf(i, o))

export const idOf = (job: Pick<Job, 'stage' | 'partition' | 'generation'>): string =>
  jobIdOf(job.stage, job.partition, job.generation)

export const DONE: Directive = { kind: 'done', outcome: 'ok' }

/** Three attempts, 20 to 60 ms apart. */
export const QUICK: StagePolicy = { attempts: 3, backoffBaseMs: 40, backoffCapMs: 60, concurrency: 1 }

export type Lines = { readonly log: Log; readonly events: string[] }

export function lines(): Lines {
  const events: string[] = []
  const say = (event: string): void => void events.push(event)
  return { log: { debug: say, info: say, warn: say, error: say }, events }
}

export async function until(what: string, holds: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> {
  const end = Date.now() + ms
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited ${ms} ms in vain until ${what}`)
    await sleep(20)
  }
}

/** One process's view of a place; what it opens it closes. */
export class Bench {
  readonly backend: QueueBackend
  readonly queue: JobQueue
  readonly #handles: WorkersHandle[] = []

  private constructor(backend: QueueBackend) {
    this.backend = backend
    this.queue = openJobQueue(backend)
  }

  static async open(options: BackendOptions): Promise<Bench> {
    return new Bench(await openBackend(options))
  }

  /** Workers for downloads, one job at a time, with quick retries, unless said otherwise. */
  work(run: WorkersOptions['run'], o: Partial<Omit<WorkersOptions, 'backend' | 'run'>> = {}): WorkersHandle {
    const stages = o.stages ?? [{ stage: 'download' as const, concurrency: 1, policy: QUICK }]
    const handle = startWorkers({ log: lines().log, name: 'test', settleMs: 200, ...o, backend: this.backend, stages, run })
    this.#handles.push(handle)
    return handle
  }

  /** Workers that note every start and answer with the next directive, `done` when there is none left. */
  script(directives: Directive[], o: Partial<Omit<WorkersOptions, 'backend' | 'run'>> = {}): { started: StartedJob[]; handle: WorkersHandle } {
    const started: StartedJob[] = []
    const handle = this.work((job) => {
      started.push(job)
      return Promise.resolve(directives.shift() ?? DONE)
    }, o)
    return { started, handle }
  }

  async counted(state: 'waiting' | 'active' | 'delayed' | 'completed' | 'failed', count: number): Promise<void> {
    await until(`${count} downloads are ${state}`, async () => (await this.queue.counts()).download[state] === count)
  }

  async close(): Promise<void> {
    await Promise.all(this.#handles.map((handle) => handle.close()))
    await this.queue.close()
  }
}
