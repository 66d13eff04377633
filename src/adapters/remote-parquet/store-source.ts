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
    const bytes = Buffer.allocUnsafe(end - start)
    let came = 0
    for await (const piece of body as AsyncIterable<Buffer>) {
      if (signal.aborted) body.destroy()
      signal.throwIfAborted()
      piece.copy(bytes, came)
      came += piece.length
      if (came > bytes.length) throw otherLength(came, { start, end, at: id })
    }
    return whole(bytes.subarray(0, came), { start, end, at: id })
  }
  return {
    id,
    cacheId: id,
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
  throw otherLength(bytes.length, o)
}

const otherLength = (gotBytes: number, { start, end, at }: { start: number; end: number; at: string }): PipelineError =>
  new PipelineError('OBJECT_CORRUPT', `${end - start} bytes were asked for, ${gotBytes} came`, {
    at,
    wantBytes: end - start,
    gotBytes,
  })
