import { createCipheriv, createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openS3ObjectStore, type S3StoreOptions } from '../../../src/adapters/s3-store/s3-object-store.js'
import { S3Link, type S3Connection } from '../../../src/adapters/s3-store/s3-link.js'
import type { ObjectStore } from '../../../src/domain/ports/object-store.js'
import { startS3FaultProxy, type S3FaultProxy } from '../../support/s3-fault-proxy.js'
import { acquireS3, newPrefix, s3Connection, type TestS3 } from '../../support/s3.js'
import { tempFolder } from '../../support/temp-folder.js'

/** A store behind a proxy that spoils what it is told to, over the S3 of this run. */
export type S3Rig = {
  readonly s3: TestS3
  readonly proxy: S3FaultProxy
  readonly url: string
  readonly store: ObjectStore
  readonly scratch: string
  /** A local file of such content, its digest, and the content. */
  file(content: Buffer): Promise<{ path: string; sha256Hex: string }>
  close(): Promise<void>
}

export async function openS3Rig(
  o: { s3?: TestS3; connection?: Partial<S3Connection>; store?: Partial<S3StoreOptions> } = {},
): Promise<S3Rig> {
  const s3 = o.s3 ?? (await acquireS3())
  const proxy = await startS3FaultProxy(s3.endpoint)
  const folder = await tempFolder()
  const link = new S3Link(s3Connection({ ...s3, endpoint: proxy.endpoint }, o.connection))
  const url = newPrefix(s3)
  let files = 0
  return {
    s3, proxy, url, scratch: folder.path,
    store: openS3ObjectStore({ url, link, ...o.store }),
    file: async (content) => {
      const path = join(folder.path, `file-${files++}`)
      await writeFile(path, content)
      return { path, sha256Hex: sha256(content) }
    },
    close: async () => {
      await link.close()
      await proxy.close()
      await folder.remove()
    },
  }
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Bytes that a seed determines, and that no compression and no offset makes equal to others. */
export function bytesFrom(random: () => number, length: number): Buffer {
  const key = createHash('sha256').update(String(random())).digest()
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length))
}

/** Runs the items a few at a time, and gives what they gave. */
export async function fewAtOnce<T, R>(items: readonly T[], most: number, work: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  await Promise.all(Array.from({ length: most }, async () => {
    while (next < items.length) {
      const at = next++
      results[at] = await work(items[at] as T, at)
    }
  }))
  return results
}
