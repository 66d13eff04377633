import { randomBytes } from 'node:crypto'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { Agent } from 'undici'
import { S3Link, type S3Connection } from '../../src/adapters/s3-store/s3-link.js'
import { dockerMinio } from './s3-docker.js'
import { startS3Server, type TestS3Server } from './s3-server/s3-server.js'
import { shared } from './shared.js'

// It would warn in the middle of a report which Node its later versions will want.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'

/** An S3 that the tests of this run share. `server` is ours, to look into; null where it is another. */
export type TestS3 = {
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly bucket: string
  readonly server: TestS3Server | null
}

export const OUR_KEYS = { accessKeyId: 'candlelake-test', secretAccessKey: 'only-for-this-run' }

/**
 * `TEST_S3_ENDPOINT` (with TEST_S3_ACCESS_KEY_ID, TEST_S3_SECRET_ACCESS_KEY, and TEST_S3_REGION and TEST_S3_BUCKET where
 * they are not us-east-1 and candlelake-test); else MinIO, where Docker runs and has or gets its image; else our server.
 */
export function acquireS3(): Promise<TestS3> {
  return shared('s3', async () => {
    const given = process.env['TEST_S3_ENDPOINT']
    const found = given === undefined || given === '' ? await started() : { value: named(given), stop: () => Promise.resolve() }
    await createBucket(found.value)
    return found
  })
}

function named(endpoint: string): TestS3 {
  const { TEST_S3_ACCESS_KEY_ID: accessKeyId = '', TEST_S3_SECRET_ACCESS_KEY: secretAccessKey = '' } = process.env
  const { TEST_S3_REGION: region = 'us-east-1', TEST_S3_BUCKET: bucket = 'candlelake-test' } = process.env
  return { endpoint, region, accessKeyId, secretAccessKey, bucket, server: null }
}

async function started(): Promise<{ value: TestS3; stop: () => Promise<void> }> {
  const place = { region: 'us-east-1', bucket: 'candlelake-test' }
  const minio = await dockerMinio().catch((thrown: unknown) => {
    // An engine that has the image and cannot start it: without its helper's image, for one.
    console.error(`MinIO did not start in Docker, so the suite's own S3 server is used: ${String(thrown)}`)
    return null
  })
  if (minio) return { value: { ...place, ...minio.keys, endpoint: minio.endpoint, server: null }, stop: minio.stop }
  const server = await startS3Server({ keys: { [OUR_KEYS.accessKeyId]: OUR_KEYS.secretAccessKey } })
  return { value: { ...place, ...OUR_KEYS, endpoint: server.endpoint, server }, stop: () => server.close() }
}

type Reached = Pick<TestS3, 'endpoint' | 'region' | 'accessKeyId' | 'secretAccessKey'>

/** How a test reaches a server, perhaps through a proxy at another address. */
export function s3Connection(to: Reached, more: Partial<S3Connection> = {}): S3Connection {
  const { endpoint, region, accessKeyId, secretAccessKey } = to
  return {
    endpoint, region, pathStyle: true, checksums: 'when_required', userAgent: 'candlelake-test',
    credentials: () => Promise.resolve({ accessKeyId, secretAccessKey }),
    dispatcher: new Agent({ connect: { timeout: 5_000 }, headersTimeout: 30_000, bodyTimeout: 30_000 }),
    ...more,
  }
}

/** A place in the bucket that nobody else has. */
export const newPrefix = (s3: Pick<TestS3, 'bucket'>): string => `s3://${s3.bucket}/t-${randomBytes(6).toString('hex')}`

async function createBucket(s3: TestS3): Promise<void> {
  const link = new S3Link(s3Connection(s3))
  try {
    await link.client.send(new CreateBucketCommand({ Bucket: s3.bucket }))
  } catch (thrown) {
    const name = thrown instanceof Error ? thrown.name : ''
    if (name !== 'BucketAlreadyOwnedByYou' && name !== 'BucketAlreadyExists') throw thrown
  } finally {
    await link.close()
  }
}
