import type { Dispatcher } from 'undici'
import { openDispatcher } from './adapters/binance/http-options.js'
import { httpSource } from './adapters/remote-parquet/http-source.js'
import { readLocalFooter } from './adapters/remote-parquet/local-parts.js'
import type { RemoteParquet } from './adapters/remote-parquet/remote-parquet.js'
import { storeSource } from './adapters/remote-parquet/store-source.js'
import { httpOptionsOf } from './compose-http.js'
import { limitsOf, readerOf, remoteOf, type LakeOptions } from './compose-lake.js'
import { openS3Link } from './compose-stores.js'
import { loadConfig, type Config } from './config.js'
import { PipelineError } from './domain/errors.js'
import { planRanges } from './domain/plan-ranges.js'
import type { CandleReader } from './domain/ports/query-engine.js'
import type { RangeSource } from './domain/ports/range-source.js'
import { parseFileAddress } from './lake/file-address.js'
import { FileQuery, type QueryableFile } from './lake/file-query.js'

/**
 * Parquet files of anybody's as one table `files`: paths, `https://` or `http://` addresses of servers that answer
 * ranges and give strong ETags, `s3://bucket/key` as the `S3_…` settings of the environment say. All need the same
 * columns.
 * @throws {BAD_USAGE, BAD_CONFIG}
 */
export async function openFiles(addresses: readonly string[], o: LakeOptions = {}): Promise<FileQuery> {
  const { config } = await loadConfig()
  return openFileQuery(addresses, config, o)
}

/** The same, as configured. */
export function openFileQuery(addresses: readonly string[], config: Config, o: LakeOptions = {}): FileQuery {
  const options: LakeOptions = {
    cacheDir: config.candlelakeCache,
    cacheMaxBytes: config.cacheMaxBytes,
    memoryBytes: config.queryMemoryBytes,
    timeoutSeconds: config.queryTimeoutSeconds,
    threads: config.engineSlots,
    ...o,
  }
  if (addresses.length === 0) throw new PipelineError('BAD_USAGE', 'no file was named')
  const places = new Places(config, remoteOf(options))
  const limits = limitsOf(options)
  let reading: Promise<CandleReader> | undefined
  return new FileQuery({
    files: addresses.map((address) => places.file(address)),
    limits,
    extensionDir: config.queryHttpfs === 'auto' ? config.queryExtensionDir : null,
    reader: () => (reading ??= readerOf(limits)),
    sql: async () => (await import('./adapters/query/sql-runner.js')).openSqlRunner(),
    close: async () => {
      await (await reading)?.close()
      await places.close()
    },
  })
}

/** Where files are, with one connection for each server. */
class Places {
  readonly #config: Config
  readonly #remote: RemoteParquet
  readonly #dispatchers = new Map<string, Dispatcher>()
  #s3: ReturnType<typeof openS3Link> | undefined

  constructor(config: Config, remote: RemoteParquet) {
    this.#config = config
    this.#remote = remote
  }

  file(text: string): QueryableFile {
    const address = parseFileAddress(text)
    if (address.kind === 'local') return localFile(address.path)
    if (address.kind === 'http') {
      const source = httpSource(address.url.href, this.#dispatcherOf(address.url))
      return this.#fetched(source.id, directOf(address.url, this.#config), () => Promise.resolve(source))
    }
    const { bucketUrl, key } = address
    const direct = { url: null, reason: 'keys of a bucket stay out of the process that answers' }
    return this.#fetched(`${bucketUrl}/${key}`, direct, async () => {
      const { openS3ObjectStore } = await import('./adapters/s3-store/s3-object-store.js')
      const link = await (this.#s3 ??= openS3Link(this.#config, httpOptionsOf(this.#config)))
      return storeSource(openS3ObjectStore({ url: bucketUrl, link }), key, null)
    })
  }

  async close(): Promise<void> {
    await Promise.all([...this.#dispatchers.values()].map((one) => one.close()))
    await (await this.#s3)?.close()
  }

  #fetched(
    address: string,
    direct: QueryableFile['direct'],
    source: () => Promise<RangeSource>,
  ): QueryableFile {
    return {
      address,
      remote: true,
      direct,
      part: async (want, signal) => this.#remote.fetch(await source(), want, signal),
    }
  }

  #dispatcherOf(url: URL): Dispatcher {
    const before = this.#dispatchers.get(url.origin)
    const dispatcher = before ?? openDispatcher(url, httpOptionsOf(this.#config))
    this.#dispatchers.set(url.origin, dispatcher)
    return dispatcher
  }
}

/** What `httpfs` would not keep to, it is not given. */
function directOf(url: URL, { httpProxy, httpsProxy, nodeExtraCaCerts }: Config): QueryableFile['direct'] {
  const proxy = url.protocol === 'https:' ? httpsProxy : httpProxy
  const reasons = [
    url.username !== '' || url.password !== '' ? 'passwords stay out of the process that answers' : null,
    proxy === null ? null : 'httpfs would pass by the proxy',
    nodeExtraCaCerts === null ? null : 'httpfs would not know the authorities of NODE_EXTRA_CA_CERTS',
    url.href.includes('*') ? 'httpfs would take the address for a pattern' : null,
  ]
  const reason = reasons.find((one) => one !== null)
  return reason === undefined || reason === null ? { url: url.href } : { url: null, reason }
}

/** The file itself is the part; its footer is read once, and anew after a failure. */
function localFile(path: string): QueryableFile {
  let reading: ReturnType<typeof readLocalFooter> | undefined
  const forget = (thrown: unknown): never => {
    reading = undefined
    throw thrown
  }
  return {
    address: path,
    remote: false,
    direct: null,
    part: async (want, signal) => {
      signal.throwIfAborted()
      const isFirst = reading === undefined
      const { footer, bytesRead } = await (reading ??= readLocalFooter(path, path).catch(forget))
      const read = (isFirst ? bytesRead : 0) + planRanges(footer, want).bytes
      return { path, footer, cost: { requests: 0, bytesRead: read, cacheHits: 0 } }
    },
  }
}
