import { PipelineError } from '../domain/errors.js'
import type { BackendOptions, QueueBackend } from './queue-backend.js'

export type { BackendOptions, QueueBackend, StageQueue } from './queue-backend.js'

/**
 * Opens the queues of a server: it is reachable and, on Postgres, its schema is migrated when this gives.
 * @throws {QUEUE_UNREACHABLE, BAD_CONFIG, CATALOG_NEWER}
 */
export async function openBackend(o: BackendOptions): Promise<QueueBackend> {
  const scheme = o.url === null ? 'postgres' : /^([a-z]+):\/\//.exec(o.url)?.[1]
  // Loaded on demand: a process on Postgres need not have ioredis in memory, nor one on Redis pg.
  if (scheme === 'redis' || scheme === 'rediss') return (await import('./redis-backend.js')).openRedis({ ...o, url: o.url ?? '' })
  if (scheme === 'postgres' || scheme === 'postgresql') {
    const postgres = o.url ?? o.postgres
    if (postgres !== undefined) return (await import('./postgres-backend.js')).openPostgres({ ...o, postgres })
  }
  throw new PipelineError('BAD_CONFIG', 'the queues have no server', {
    do: 'set QUEUE_URL to redis://host:6379 or rediss://host:6380, or give the Postgres of the catalog',
  })
}

/**
 * What the queues of a catalog are called on their server, so that two lakes on one server never take each other's
 * jobs. In the catalog's own database (null) nobody else's can be.
 */
export function queueNamesOf(url: string | null, catalogId: string): Pick<BackendOptions, 'prefix' | 'schema'> {
  return url === null ? {} : { prefix: `candlelake:${catalogId}`, schema: `bullmq_${catalogId}` }
}
