import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  DeleteObjectCommand, GetObjectCommand, ListMultipartUploadsCommand, ListObjectsV2Command, PutObjectCommand, S3Client,
} from '@aws-sdk/client-s3'
import { filesBelow } from './cli.js'
import type { TestS3 } from './s3.js'

/** Looks into a bucket with the bare SDK: what is there, not what the adapter says is there. */
async function looking<T>(s3: TestS3, look: (client: S3Client) => Promise<T>): Promise<T> {
  const { endpoint, region, accessKeyId, secretAccessKey } = s3
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } })
  try {
    return await look(client)
  } finally {
    client.destroy()
  }
}

const placeOf = (url: string): { Bucket: string; Prefix: string } => {
  const { host, pathname } = new URL(url)
  return { Bucket: host, Prefix: `${pathname.slice(1)}/` }
}

/** Keys below an `s3://` URL, without its prefix. */
export function keysOf(s3: TestS3, url: string): Promise<string[]> {
  const { Bucket, Prefix } = placeOf(url)
  return looking(s3, async (client) => {
    const keys: string[] = []
    let ContinuationToken: string | undefined
    do {
      const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix, ...(ContinuationToken ? { ContinuationToken } : {}) }))
      keys.push(...(page.Contents ?? []).map(({ Key = '' }) => Key.slice(Prefix.length)))
      ContinuationToken = page.NextContinuationToken
    } while (ContinuationToken)
    return keys
  })
}

/** Puts an object below a URL, as a hand in the bucket would. */
export async function putText(s3: TestS3, url: string, key: string, Body: string): Promise<void> {
  const { Bucket, Prefix } = placeOf(url)
  await looking(s3, (client) => client.send(new PutObjectCommand({ Bucket, Key: Prefix + key, Body })))
}

export async function removeOne(s3: TestS3, url: string, key: string): Promise<void> {
  const { Bucket, Prefix } = placeOf(url)
  await looking(s3, (client) => client.send(new DeleteObjectCommand({ Bucket, Key: Prefix + key })))
}

/** Removes every object in a folder below a URL, and not what lies beside the folders; gives how many. */
export async function removeAll(s3: TestS3, url: string): Promise<number> {
  const { Bucket, Prefix } = placeOf(url)
  const keys = (await keysOf(s3, url)).filter((key) => key.includes('/'))
  await looking(s3, async (client) => {
    for (const key of keys) await client.send(new DeleteObjectCommand({ Bucket, Key: Prefix + key }))
  })
  return keys.length
}

/** Keys of uploads that were begun below a URL and not ended. */
export function uploadsOf(s3: TestS3, url: string): Promise<string[]> {
  return looking(s3, async (client) => {
    const { Bucket, Prefix } = placeOf(url)
    // All of the bucket: MinIO shows none for a prefix.
    const page = await client.send(new ListMultipartUploadsCommand({ Bucket }))
    return (page.Uploads ?? []).map(({ Key = '' }) => Key).filter((key) => key.startsWith(Prefix))
  })
}

/** SHA-256 of every Parquet file of a home's lake, or of a lake in a bucket, by key; certificates hold times. */
export async function digestsOf(where: string): Promise<Record<string, string>>
export async function digestsOf(where: TestS3, url: string): Promise<Record<string, string>>
export async function digestsOf(where: string | TestS3, url = ''): Promise<Record<string, string>> {
  if (typeof where !== 'string') return await digestsBelow(where, url, '.parquet')
  const names = filesBelow(join(where, 'lake')).filter((name) => name.endsWith('.parquet')).sort()
  return Object.fromEntries(names.map((name) => [name, digest(readFileSync(join(where, 'lake', name)))]))
}

/** SHA-256 of every object below a URL whose key ends so, by key. */
export async function digestsBelow(s3: TestS3, url: string, ending = ''): Promise<Record<string, string>> {
  const { Bucket, Prefix } = placeOf(url)
  const keys = (await keysOf(s3, url)).filter((key) => key.endsWith(ending))
  return await looking(s3, async (client) => {
    const found: Record<string, string> = {}
    for (const key of keys) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: Prefix + key }))
      found[key] = digest(await Body?.transformToByteArray() ?? new Uint8Array())
    }
    return found
  })
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
