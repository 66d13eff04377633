import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import { openFileObjectStore } from './adapters/file-store/file-object-store.js'
import { lakePorts, type LakeOptions } from './compose-lake.js'
import { httpOptionsOf } from './compose-http.js'
import { openLake, openS3Link } from './compose-stores.js'
import { loadConfig } from './config.js'
import { PipelineError } from './domain/errors.js'
import type { ObjectStore } from './domain/ports/object-store.js'
import { Lake } from './lake/lake.js'
import type { LakePorts } from './lake/lake-ports.js'

/** A lake of candle partitions in a folder or a bucket, without a catalog. */
export class ParquetLake<N = number> extends Lake<N> {
  /**
   * `file:///path/to/lake` or the path, made when it is not there; or `s3://bucket/prefix`, reached as the settings of
   * the environment say (`S3_ENDPOINT` and the other `S3_…`, see `.env.example`).
   * @throws {BAD_CONFIG, STORE_UNREACHABLE}
   */
  static async open<N = number>(url: string, o: LakeOptions = {}): Promise<ParquetLake<N>> {
    const { store, close } = await storeAt(isAbsolute(url) ? pathToFileURL(url).href : url)
    const ports = lakePorts(store, o)
    const closing: LakePorts = {
      ...ports,
      close: async () => {
        await ports.close()
        await close()
      },
    }
    return new ParquetLake<N>(closing, { numericType: o.numericType ?? null })
  }
}

async function storeAt(url: string): Promise<{ store: ObjectStore; close: () => Promise<void> }> {
  if (url.startsWith('file://')) {
    return { store: await openFileObjectStore({ url, create: true }), close: () => Promise.resolve() }
  }
  if (!url.startsWith('s3://')) {
    const facts = { at: 'url', do: 'use file:///path/to/lake or s3://bucket/prefix' }
    throw new PipelineError('BAD_CONFIG', 'this is no lake that can be opened', facts)
  }
  const { config } = await loadConfig({ LAKE_URL: url })
  const link = await openS3Link(config, httpOptionsOf(config))
  return { store: await openLake(config, () => Promise.resolve(link)), close: () => link.close() }
}
