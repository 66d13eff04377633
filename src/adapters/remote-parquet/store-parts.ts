import type { ObjectParts } from '../../domain/ports/object-parts.js'
import type { ObjectStore } from '../../domain/ports/object-store.js'
import type { RemoteParquet } from './remote-parquet.js'
import { storeSource } from './store-source.js'

/** Objects of a store that is somewhere else: their parts are fetched by ranges of exactly the planned ETag. */
export function storeParts(store: ObjectStore, remote: RemoteParquet): ObjectParts {
  return {
    via: 'range',
    part: ({ key, etag, bytes }, want, signal) =>
      remote.fetch(storeSource(store, key, { etag, bytes }), want, signal),
    footer: ({ key, etag, bytes }, signal) => remote.footer(storeSource(store, key, { etag, bytes }), signal),
  }
}
