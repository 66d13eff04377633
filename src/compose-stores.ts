import { fileURLToPath } from 'node:url'
import { openDispatcher, type HttpOptions } from './adapters/binance/http-options.js'
import { openFileObjectStore } from './adapters/file-store/file-object-store.js'
import { openFileStaging } from './adapters/file-store/file-staging.js'
import type { S3Link } from './adapters/s3-store/s3-link.js'
import { keepAwsSdkQuiet, type Config } from './config.js'
import type { ObjectStore } from './domain/ports/object-store.js'
import type { Staging } from './domain/ports/staging.js'

const isS3 = (url: string): boolean => url.startsWith('s3:')

/** The folder of a lake on this machine; null where it lies in a bucket. */
export const lakeDirOf = ({ lakeUrl }: Config): string | null => (isS3(lakeUrl) ? null : fileURLToPath(lakeUrl))

/** The lake of the configuration. The AWS SDK is loaded only for a bucket. @throws {STORE_UNREACHABLE, BAD_CONFIG} */
export const openLake = (config: Config, s3: () => Promise<S3Link>): Promise<ObjectStore> =>
  openStore(config.lakeUrl, config, s3)

/** The place of the staging as a store of objects: for its marker alone. */
export const openStagingStore = (config: Config, s3: () => Promise<S3Link>): Promise<ObjectStore> =>
  openStore(config.stagingUrl, config, s3)

async function openStore(url: string, config: Config, s3: () => Promise<S3Link>): Promise<ObjectStore> {
  if (!isS3(url)) return await openFileObjectStore({ url, create: true })
  const { openS3ObjectStore } = await import('./adapters/s3-store/s3-object-store.js')
  return openS3ObjectStore({ url, link: await s3(), conditionalWrites: config.s3ConditionalWrites })
}

/** The staging of the configuration, under the same rule. */
export async function openStaging(config: Config, s3: () => Promise<S3Link>): Promise<Staging> {
  const url = config.stagingUrl
  if (!isS3(url)) return await openFileStaging({ url, create: true })
  const { openS3Staging } = await import('./adapters/s3-store/s3-staging.js')
  return openS3Staging({ url, link: await s3(), cacheDir: config.candlelakeCache })
}

/** One connection for both, with the proxies and authorities of this process. */
export async function openS3Link(config: Config, http: HttpOptions): Promise<S3Link> {
  keepAwsSdkQuiet()
  const { S3Link } = await import('./adapters/s3-store/s3-link.js')
  const { s3Endpoint: endpoint, s3AccessKeyId, s3SecretAccessKey, s3SessionToken } = config
  const credentials = s3AccessKeyId === null || s3SecretAccessKey === null ? null : {
    accessKeyId: s3AccessKeyId,
    secretAccessKey: s3SecretAccessKey,
    ...(s3SessionToken === null ? {} : { sessionToken: s3SessionToken }),
  }
  return new S3Link({
    endpoint,
    region: config.s3Region,
    credentials: credentials && (() => Promise.resolve(credentials)),
    pathStyle: config.s3ForcePathStyle === 'auto' ? endpoint !== null : config.s3ForcePathStyle === 'true',
    checksums: config.s3Checksums,
    userAgent: http.userAgent,
    dispatcher: openDispatcher(new URL(endpoint ?? 'https://s3.amazonaws.com'), { ...http, ...TRAVEL }),
  })
}

/** The archive's limits are for a public server far away; a copy within a store may take long until its answer. */
const TRAVEL: Pick<HttpOptions, 'timeouts' | 'connections'> = {
  timeouts: { connectMs: 10_000, headersMs: 60_000, bodyIdleMs: 30_000 },
  connections: 64,
}
