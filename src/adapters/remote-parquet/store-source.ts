import { PipelineError } from '../../domain/errors.js'
import type { ObjectKey } from '../../domain/names.js'
import type { ObjectStore } from '../../domain/ports/object-store.js'
import type { ObjectVersion, RangeSource } from '../../domain/ports/range-source.js'

/** An object of a store, read by ranges; `planned` is what a catalog or a listing knows of it. */
export function storeSource(store: ObjectStore, key: ObjectKey, planned: ObjectVersion | null): RangeSource {
  const id = `${store.url}/${key}`
  const head = async (): Promise<ObjectVersion> => {
    const info = await store.head(key)
    if (info) return { etag: info.etag, bytes: info.bytes }
    throw new PipelineError('OBJECT_ABSENT', 'there is no such object', { at: id })
  }
  const read: RangeSource['read'] = async ({ start, end, version, signal }) => {
    signal.throwIfAborted()
    const body = await store.get({ key, range: { start, end }, ifMatch: version.etag })
    const pieces: Buffer[] = []
    for await (const piece of body) {
      if (signal.aborted) body.destroy()
      signal.throwIfAborted()
      pieces.push(piece as Buffer)
    }
    return whole(Buffer.concat(pieces), { start, end, at: id })
  }
  return {
    id,
    planned,
    head,
    read,
    tail: async (bytes, signal) => {
      const version = await head()
      const start = Math.max(0, version.bytes - bytes)
      return { version, tail: await read({ start, end: version.bytes, version, signal }) }
    },
  }
}

/** @throws {OBJECT_CORRUPT} fewer or more bytes came than the range has */
export function whole(bytes: Buffer, o: { start: number; end: number; at: string }): Buffer {
  if (bytes.length === o.end - o.start) return bytes
  throw new PipelineError('OBJECT_CORRUPT', `${o.end - o.start} bytes were asked for, ${bytes.length} came`, {
    at: o.at,
    wantBytes: o.end - o.start,
    gotBytes: bytes.length,
  })
}
