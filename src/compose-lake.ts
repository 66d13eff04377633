import { homedir, availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { localParts } from './adapters/remote-parquet/local-parts.js'
import { RangeCache } from './adapters/remote-parquet/range-cache.js'
import { RemoteParquet } from './adapters/remote-parquet/remote-parquet.js'
import { storeParts } from './adapters/remote-parquet/store-parts.js'
import type { Config } from './config.js'
import type { NumericType } from './domain/candle.js'
import type { ParquetOptions } from './domain/ports/engine.js'
import type { LakeIndex } from './domain/ports/lake-index.js'
import type { ObjectStore } from './domain/ports/object-store.js'
import type { CandleReader, QueryLimits } from './domain/ports/query-engine.js'
import { Lake } from './lake/lake.js'
import type { LakePorts } from './lake/lake-ports.js'
import { RemoteFile } from './lake/remote-file.js'
import { storeIndex } from './lake/store-index.js'

/** What a lake may take and how it is written; everything has a default. Bytes. */
export type LakeOptions = {
  /** Parts of remote objects are kept here. Default: `candlelake` in the user's cache folder. */
  readonly cacheDir?: string
  readonly cacheMaxBytes?: number
  readonly memoryBytes?: number
  readonly timeoutSeconds?: number
  readonly threads?: number
  /** Of a lake without partitions; one that has some says it itself. */
  readonly numericType?: NumericType
  readonly codec?: ParquetOptions['codec']
  readonly level?: number
}

const GIB = 1024 ** 3

/** A lake's parts over any store; without an index the store's own listing says what there is. */
export function lakePorts(store: ObjectStore, o: LakeOptions & { readonly index?: LakeIndex }): LakePorts {
  const limits = limitsOf(o)
  let reading: Promise<CandleReader> | undefined
  return {
    store,
    index: o.index ?? storeIndex(store),
    parts: partsOf(store, o),
    limits,
    parquet: { codec: o.codec ?? 'zstd', level: o.level ?? 3, dataPages: 'v2' },
    reader: () => (reading ??= readerOf(limits)),
    sql: async () => (await import('./adapters/query/sql-runner.js')).openSqlRunner(),
    writer: async () => (await import('./adapters/query/candle-file-writer.js')).openCandleFileWriter(limits),
    close: async () => (await reading)?.close(),
  }
}

function partsOf(store: ObjectStore, o: LakeOptions): LakePorts['parts'] {
  if (store.url.startsWith('file:')) {
    const root = fileURLToPath(store.url)
    return localParts((key) => join(root, key))
  }
  return storeParts(store, remoteOf(o))
}

export function remoteOf(o: LakeOptions): RemoteParquet {
  const dir = join(o.cacheDir ?? join(homedir(), '.cache', 'candlelake'), 'ranges')
  // What an open question may still read stays: none is open for longer than its timeout.
  const graceMs = 1_000 * Math.max(600, 2 * limitsOf(o).timeoutSeconds)
  return new RemoteParquet(new RangeCache({ dir, maxBytes: o.cacheMaxBytes ?? 4 * GIB, graceMs }))
}

export const limitsOf = (o: LakeOptions): QueryLimits => ({
  memoryBytes: o.memoryBytes ?? GIB,
  tempBytes: 4 * GIB,
  timeoutSeconds: o.timeoutSeconds ?? 300,
  threads: o.threads ?? availableParallelism(),
})

/** DuckDB is loaded when the first question is asked. */
export const readerOf = async (limits: QueryLimits): Promise<CandleReader> =>
  (await import('./adapters/query/candle-reader.js')).openCandleReader(limits)

/**
 * A Parquet file at an `https://` or `http://` address, read by ranges. Its server must give strong ETags.
 * @throws {BAD_USAGE} no such address
 */
export async function openRemoteFile(url: string, o: LakeOptions = {}): Promise<RemoteFile> {
  const { Agent } = await import('undici')
  const { httpSource } = await import('./adapters/remote-parquet/http-source.js')
  const agent = new Agent()
  const source = httpSource(url, agent)
  const remote = remoteOf(o)
  const limits = limitsOf(o)
  let reading: Promise<CandleReader> | undefined
  return new RemoteFile({
    part: (want, signal) => remote.fetch(source, want, signal),
    footer: (signal) => remote.footer(source, signal),
    reader: () => (reading ??= readerOf(limits)),
    timeoutSeconds: limits.timeoutSeconds,
    close: async () => {
      await (await reading)?.close()
      await agent.close()
    },
  })
}

/** The configured lake. */
export function configuredLake(store: ObjectStore, config: Config, index?: LakeIndex): Lake<unknown> {
  const ports = lakePorts(store, {
    cacheDir: config.candlelakeCache,
    cacheMaxBytes: config.cacheMaxBytes,
    memoryBytes: config.queryMemoryBytes,
    timeoutSeconds: config.queryTimeoutSeconds,
    threads: config.engineSlots,
    codec: config.parquetCodec,
    level: config.parquetLevel,
    ...(index === undefined ? {} : { index }),
  })
  return new Lake<unknown>(ports, { numericType: null })
}
