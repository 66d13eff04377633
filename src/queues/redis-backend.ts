import { createRedisBackend, Queue, type BackendFactory, type IQueueBackend } from 'bullmq'
import { Redis } from 'ioredis'
import { JOB_STAGES, type JobStage } from '../jobs/stages.js'
import type { BackendOptions, QueueBackend, StageQueue, StoredJob } from './queue-backend.js'
import { encodeStored, QUEUE_OPTIONS } from './stored-job.js'
import { queueError, within } from './queue-error.js'
import { SCHEDULES, startTicks, type TickWorker, type TickWorkerOptions } from './tick-worker.js'
import { StageWorker, type Server, type StageWorkerOptions } from './stage-worker.js'

const TIMEOUT_MS = 10_000
const CONNECT_MS = 5_000
const LONGEST_RECONNECT_MS = 2_000

/** Ids looked at in one script: it holds up every other client of the server while it runs. */
const IDS_PER_SCRIPT = 200

/** Removes finished jobs only: membership is tested in the step that removes, so a job that runs again is not touched. */
const FORGET = `
for i = 2, #ARGV do
  if redis.call('ZREM', KEYS[1], ARGV[i]) + redis.call('ZREM', KEYS[2], ARGV[i]) > 0 then
    redis.call('DEL', ARGV[1] .. ARGV[i], ARGV[1] .. ARGV[i] .. ':logs')
  end
end`

/** The cheap tests first: only a job without priority that waits costs a walk through a list. */
const ALIVE = `
local alive = {}
for i = 2, #ARGV do
  local id = ARGV[i]
  if redis.call('EXISTS', ARGV[1] .. id) == 1
    and not redis.call('ZSCORE', KEYS[1], id) and not redis.call('ZSCORE', KEYS[2], id)
    and (redis.call('ZSCORE', KEYS[3], id) or redis.call('ZSCORE', KEYS[4], id) or redis.call('LPOS', KEYS[5], id)
      or redis.call('LPOS', KEYS[6], id) or redis.call('LPOS', KEYS[7], id)) then
    alive[#alive + 1] = id
  end
end
return alive`

/**
 * Queues on Redis or Valkey, over 2 connections a process and one more a worker: calls fail fast on their own connection,
 * workers wait for the server on theirs.
 * @throws {QUEUE_UNREACHABLE}
 */
export async function openRedis(o: BackendOptions & { readonly url: string }): Promise<QueueBackend> {
  const at = addressOf(o.url)
  const calls = new Redis(o.url, { ...clientOptions(o), enableOfflineQueue: false, maxRetriesPerRequest: 1, lazyConnect: true })
  let lastError: unknown = null
  calls.on('error', (error: Error) => {
    lastError = error
    o.onError?.(queueError(error, at))
  })
  try {
    await within(CONNECT_MS + 1_000, at, async () => {
      await calls.connect()
      await calls.ping()
    })
  } catch (thrown) {
    calls.disconnect()
    throw lastError === null ? thrown : queueError(lastError, at)
  }
  const backend = new RedisBackend(o, at, calls)
  try {
    await backend.ready()
  } catch (thrown) {
    await backend.close()
    throw thrown
  }
  return backend
}

class RedisBackend implements QueueBackend {
  readonly kind = 'redis'
  readonly at: string
  readonly #o: BackendOptions
  readonly #calls: Redis
  readonly #queues: ReadonlyMap<JobStage, StageQueue>
  readonly #timeoutMs: number
  #closing: Promise<void> | null = null
  #schedules: StageQueue | null = null
  readonly #prefix: string
  #workers: Redis | null = null

  constructor(o: BackendOptions, at: string, calls: Redis) {
    this.at = at
    this.#o = o
    this.#calls = calls
    this.#timeoutMs = o.timeoutMs ?? TIMEOUT_MS
    this.#prefix = o.prefix ?? 'candlelake'
    this.#queues = new Map(JOB_STAGES.map((stage) => [stage, this.#newQueue(stage)]))
  }

  /** BullMQ keeps a failed first handshake for good, so it is made before anybody uses a queue. */
  async ready(): Promise<void> {
    await within(this.#timeoutMs, this.at, () => Promise.all([...this.#queues.values()].map((queue) => queue.waitUntilReady())))
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
    return startTicks(this.#server((this.#workers ??= this.#workerClient())), o)
  }

  worker(o: StageWorkerOptions): StageWorker {
    this.#workers ??= this.#workerClient()
    return new StageWorker(o, this.#server(this.#workers))
  }

  async add(stage: JobStage, jobs: readonly StoredJob[]): Promise<void> {
    await within(this.#timeoutMs, this.at, () => this.queue(stage).getBackend().addJobs(jobs.map(encodeStored)))
  }

  async forgetFinished(stage: JobStage, ids: readonly string[]): Promise<void> {
    await this.#script(stage, FORGET, ['completed', 'failed'], ids)
  }

  async alive(stage: JobStage, ids: readonly string[]): Promise<ReadonlySet<string>> {
    const keys = ['completed', 'failed', 'prioritized', 'delayed', 'active', 'wait', 'paused']
    return new Set((await this.#script(stage, ALIVE, keys, ids)).flat().map(String))
  }

  async describe(): Promise<string> {
    const info = await within(this.#timeoutMs, this.at, () => this.#calls.info('server'))
    const valkey = /^valkey_version:(\S+)/m.exec(info)?.[1]
    return `${valkey ? `Valkey ${valkey}` : `Redis ${/^redis_version:(\S+)/m.exec(info)?.[1] ?? ''}`} at ${this.at}`
  }

  async ping(): Promise<void> {
    await within(this.#timeoutMs, this.at, () => this.#calls.ping())
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    const queues = [...this.#queues.values(), ...(this.#schedules ? [this.#schedules] : [])]
    for (const queue of queues) await queue.close().catch(() => undefined)
    for (const client of [this.#workers, this.#calls]) {
      if (client?.status === 'ready') await within(1_000, this.at, () => client.quit()).catch(() => undefined)
      client?.disconnect()
    }
  }

  async #script(stage: JobStage, lua: string, types: readonly string[], ids: readonly string[]): Promise<unknown[][]> {
    const keys = types.map((type) => this.queue(stage).toKey(type))
    const batches = Array.from({ length: Math.ceil(ids.length / IDS_PER_SCRIPT) }, (_, i) =>
      ids.slice(i * IDS_PER_SCRIPT, (i + 1) * IDS_PER_SCRIPT))
    return within(this.#timeoutMs, this.at, () => Promise.all(batches.map(async (batch) => {
      const found = await this.#calls.eval(lua, keys.length, ...keys, this.queue(stage).toKey(''), ...batch)
      return Array.isArray(found) ? (found as unknown[]) : []
    })))
  }

  #newQueue(stage: JobStage | typeof SCHEDULES): StageQueue {
    const server = this.#server(this.#calls)
    const queue = new Queue(stage, { ...server.options, ...QUEUE_OPTIONS }, server.factory) as unknown as StageQueue
    queue.on('error', (error) => this.#o.onError?.(queueError(error, this.at)))
    return queue
  }

  #workerClient(): Redis {
    const client = this.#calls.duplicate({
      enableOfflineQueue: true, maxRetriesPerRequest: null, lazyConnect: false, socketTimeout: 30_000,
    })
    client.on('error', (error: Error) => this.#o.onError?.(queueError(error, this.at)))
    return client
  }

  #server(connection: Redis): Server {
    return { options: { connection, prefix: this.#prefix }, factory: createRedisBackend as BackendFactory<IQueueBackend, unknown> }
  }
}

function clientOptions(o: BackendOptions) {
  return {
    connectionName: o.name ?? 'candlelake',
    connectTimeout: CONNECT_MS,
    keepAlive: 10_000,
    retryStrategy: (times: number) => Math.min(LONGEST_RECONNECT_MS, 50 * 2 ** Math.min(times, 10)) * (0.5 + Math.random() / 2),
    ...(o.ca === undefined ? {} : { tls: { ca: o.ca } }),
  }
}

function addressOf(url: string): string {
  const { hostname, port } = new URL(url)
  return `${hostname}:${port || 6379}`
}
