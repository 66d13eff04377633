import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Transform, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { S3Link } from '../src/adapters/s3-store/s3-link.js'
import { openS3ObjectStore } from '../src/adapters/s3-store/s3-object-store.js'
import { newPrefix, s3Connection, type TestS3 } from '../test/support/s3.js'
import { atMost } from './at-most.js'
import { timed } from './interleave.js'

/** A local file and its SHA-256, to be stored and read back. */
export type Carried = { readonly path: string; readonly sha256Hex: string }

export type Side = { readonly s3: TestS3; readonly files: readonly Carried[]; readonly scratch: string; readonly atOnce: number }

/** From this size on, both sides send in parts. */
const PARTS_FROM = 64 * 1_048_576

/** Stores every file, fetches it to a new one and compares the digest, by the adapter. Seconds. */
export async function byAdapter(o: Side): Promise<number> {
  const link = new S3Link(s3Connection(o.s3))
  const store = openS3ObjectStore({ url: newPrefix(o.s3), link })
  try {
    return await each(o, async ({ path, sha256Hex }, key, scratch) => {
      await store.put({ key, path, sha256Hex })
      // It compares the digest by itself.
      return await store.materialise({ key, scratch })
    })
  } finally {
    await link.close()
  }
}

/** The same with the SDK and nothing else: no condition, no read-back of what was stored, tried again by the SDK. */
export async function bySdk(o: Side): Promise<number> {
  const { endpoint, region, accessKeyId, secretAccessKey, bucket: Bucket } = o.s3
  const client = new S3Client({
    endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED',
  })
  const { pathname } = new URL(newPrefix(o.s3))
  try {
    return await each(o, async ({ path, sha256Hex }, name, scratch) => {
      const Key = `${pathname.slice(1)}/${name}`
      const { size: ContentLength } = await stat(path)
      const params = { Bucket, Key, Body: createReadStream(path), ContentLength }
      if (ContentLength < PARTS_FROM) await client.send(new PutObjectCommand(params))
      else await new Upload({ client, params }).done()
      const to = join(scratch, name)
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
      const hash = createHash('sha256')
      const hashing = new Transform({
        transform(chunk: Buffer, _, done) {
          hash.update(chunk)
          done(null, chunk)
        },
      })
      await pipeline(Body as Readable, hashing, createWriteStream(to))
      if (hash.digest('hex') !== sha256Hex) throw new Error(`${Key} came back with other bytes`)
      return to
    })
  } finally {
    client.destroy()
  }
}

async function each(o: Side, carry: (file: Carried, key: string, scratch: string) => Promise<string>): Promise<number> {
  await mkdir(o.scratch, { recursive: true })
  const limit = atMost(o.atOnce)
  return await timed(() => Promise.all(o.files.map((file, n) => limit(async () => {
    await rm(await carry(file, `f${n}.parquet`, o.scratch))
  }))))
}
