import type { PoolConfig } from 'pg'
import { join } from 'node:path'
import { httpOptionsOf } from './compose-http.js'
import type { Config } from './config.js'
import { openArchive } from './adapters/binance/archive-client.js'
import { openExchange } from './adapters/binance/exchange-client.js'
import { openArchiveListing } from './adapters/binance/archive-listing.js'
import { acquireEmbeddedPostgres } from './adapters/embedded-postgres/embedded-postgres.js'
import { openEngine } from './adapters/engine/engine-pool.js'
import { openFileQuarantine } from './adapters/file-store/file-quarantine.js'
import { openCatalog, type Catalog } from './adapters/postgres/connect.js'
import { openLake, openS3Link, openStaging, openStagingStore } from './compose-stores.js'
import type { PipelineError } from './domain/errors.js'
import type { ObjectStore } from './domain/ports/object-store.js'
import type { Log, Observe } from './domain/ports/observe.js'
import { openBackend, queueNamesOf } from './queues/backend.js'
import { openJobQueue } from './queues/job-queue.js'
import { ownLake, ownStaging, type OwnerPorts } from './workers/owner.js'

/** Connections of one process to Postgres: the catalog's share; the queue has its own budget in `queues/backend.ts`. */
const CATALOG_CONNECTIONS = 8

/** What servers show of our connections: which process has them. */
const PROCESS = `candlelake ${process.pid}`

/**
 * Everything outside this process, opened when first asked for, shared afterwards, and closed in reverse order. One place
 * that knows which adapter answers which port.
 */
export function openServices(config: Config, log: Log, observe: Observe = () => undefined) {
  const opened: (() => Promise<unknown>)[] = []
  const once = <T>(open: () => Promise<{ value: T; close?: () => Promise<unknown> }>): (() => Promise<T>) => {
    let opening: Promise<T> | undefined
    return () =>
      (opening ??= open().then(({ value, close }) => {
        if (close) opened.push(close)
        return value
      }).catch((thrown: unknown) => {
        opening = undefined // the next one who asks tries again: the service may be up by then
        throw thrown
      }))
  }
  const http = httpOptionsOf(config)

  const database = once(async (): Promise<{ value: PoolConfig; close?: () => Promise<unknown> }> => {
    if (config.databaseUrl !== null) return { value: { connectionString: config.databaseUrl } }
    const server = await acquireEmbeddedPostgres({ home: config.candlelakeHome, log: (line) => log.debug('postgres', { line }) })
    // `ssl` is said outright, or a PGSSLMODE meant for another server would be obeyed on the socket.
    return { value: { ...server.connection, ssl: false }, close: () => server.release() }
  })
  const anyCatalog = once(async () => {
    const connection = await database()
    const value = await openCatalog({ connection, maxConnections: CATALOG_CONNECTIONS, applicationName: PROCESS, log })
    return { value, close: () => value.close() }
  })
  const asked = { url: config.lakeUrl, numericType: config.numericType }
  // What only looks leaves a new catalog open to any lake; whoever writes first settles whose it is.
  const match = async () => {
    const opened = await anyCatalog()
    return { opened, ...(await opened.keeper.matchLake(asked)) }
  }
  const matched = once(async () => ({ value: await match() }))
  const adopted = once(async () => {
    const opened = await anyCatalog()
    return { value: { opened, ...(await opened.keeper.adoptLake(asked)) } }
  })
  const catalog = async (): Promise<Catalog> => (await matched()).opened
  const backend = once(async () => {
    const { catalogId } = await adopted()
    const server = config.queueUrl === null ? { url: null, postgres: await database() } : { url: config.queueUrl }
    const onError = ({ code, message }: PipelineError): void => log.warn('queue.error', { code, message })
    const value = await openBackend({ ...server, ...queueNamesOf(config.queueUrl, catalogId), name: PROCESS, onError })
    return { value, close: () => value.close() }
  })
  const queue = once(async () => {
    const value = openJobQueue(await backend())
    return { value, close: () => value.close() }
  })
  const archive = once(() => {
    const value = openArchive({ ...http, archiveUrl: config.archiveUrl, maxBytes: config.archiveMaxFileBytes })
    return Promise.resolve({ value, close: () => value.close() })
  })
  const exchange = once(() => {
    const value = openExchange({ ...http, exchangeUrl: config.exchangeUrl, onAnswer: observe })
    return Promise.resolve({ value, close: () => value.close() })
  })
  const listing = once(() => {
    const value = openArchiveListing({ ...http, listUrl: config.archiveListUrl })
    return Promise.resolve({ value, close: () => value.close() })
  })
  const s3 = once(async () => {
    const value = await openS3Link(config, http)
    return { value, close: () => value.close() }
  })
  const lake = once(async () => ({ value: await openLake(config, s3) }))
  const query = once(async () => {
    const { configuredLake } = await import('./compose-lake.js')
    const store = await lake()
    // A folder is its own catalog, and asking it needs no database; a bucket's listing is slow and costs money.
    const value = configuredLake(store, config, store.url.startsWith('file:') ? undefined : (await catalog()).index)
    return { value, close: () => value.close() }
  })
  const exports = once(async () => {
    const { composeExports } = await import('./compose-export.js')
    const value = composeExports(config, { lake: query, store: lake })
    return { value, close: () => value.close() }
  })
  const staging = once(async () => ({ value: await openStaging(config, s3) }))
  const ownerPorts = async (o: { dryRun: boolean }): Promise<OwnerPorts> => {
    const { opened: { keeper }, catalogId } = await (o.dryRun ? match() : adopted())
    return { keeper, lake: await lake(), owner: { catalogId: catalogId ?? 'none yet', numericType: config.numericType } }
  }
  // Asked once a process, before its first write: a lake does not change hands while workers run.
  const marked = once(async () => {
    const ports = await ownerPorts({ dryRun: false })
    return { value: { ...ports, marker: await ownLake(ports, { dryRun: false }) } }
  })
  const owned = once(async () => {
    const { lake: store, owner, marker } = await marked()
    await ownStaging(await stagingStore(), owner, marker)
    return { value: { lake: store, staging: await staging() } }
  })
  const stagingStore = (): Promise<ObjectStore> => openStagingStore(config, s3)
  const quarantine = once(async () => {
    const url = join(config.candlelakeHome, 'quarantine')
    return { value: await openFileQuarantine({ url, create: true, maxBytes: config.quarantineMaxBytes }) }
  })
  const engine = once(() => {
    const { engineSlots: slots, engineMemoryBytes: memoryBytes, engineTempBytes: tempBytes, engineCrashOn } = config
    const value = openEngine({ slots, memoryBytes, tempBytes, ...(engineCrashOn === null ? {} : { crashOn: engineCrashOn }) })
    return Promise.resolve({ value, close: () => value.close() })
  })

  return {
    database, anyCatalog, catalog, adopted, backend, queue, archive, exchange, listing, lake, query, exports, staging, quarantine, engine, ownerPorts, owned,
    stagingStore,
    close: async () => {
      while (opened.length > 0) await opened.pop()?.()
    },
  }
}

export type Services = ReturnType<typeof openServices>
