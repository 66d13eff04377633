// Counts what lies in lake and staging, asking the file system or the bucket itself: published files, and left-overs.
import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const { env } = process
const lake = env.LAKE_URL || `file://${env.CANDLELAKE_HOME}/lake`
const staging = env.STAGING_URL || `file://${env.CANDLELAKE_HOME}/staging`

// The mark that says whose catalog a store belongs to; each of the two has one.
const MARKER = '_catalog.json'
const inLake = await keysOf(lake)
const inStaging = await keysOf(staging)
const markers = [inLake, inStaging].filter((keys) => keys.includes(MARKER)).length
const left = (key) => key.startsWith('_incoming/') || key.startsWith('.tmp/')
const published = inLake.filter((key) => key !== MARKER && !left(key))
const data = published.filter((key) => key.endsWith('/data.parquet')).length
const certificates = published.filter((key) => key.endsWith('/certificate.json')).length
console.log(JSON.stringify({
  data,
  certificates,
  other: published.length - data - certificates,
  incoming: inLake.filter(left).length,
  staged: inStaging.filter((key) => key !== MARKER).length,
  markers,
}))

function keysOf(url) {
  return url.startsWith('s3://') ? keysInBucket(new URL(url)) : keysInFolder(fileURLToPath(url))
}

async function keysInFolder(root) {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries.filter((e) => !e.isDirectory()).map((e) => relative(root, join(e.parentPath, e.name)))
}

async function keysInBucket({ hostname: bucket, pathname }) {
  const { createRequire } = await import('node:module')
  const { ListObjectsV2Command, S3Client } = createRequire('/app/')('@aws-sdk/client-s3')
  const client = new S3Client({
    region: env.S3_REGION || 'auto',
    endpoint: env.S3_ENDPOINT,
    forcePathStyle: env.S3_FORCE_PATH_STYLE !== 'false',
    credentials: { accessKeyId: env.S3_ACCESS_KEY_ID ?? '', secretAccessKey: env.S3_SECRET_ACCESS_KEY ?? '' },
  })
  const prefix = pathname === '/' || pathname === '' ? '' : `${pathname.slice(1).replace(/\/$/, '')}/`
  const keys = []
  for (let token; ;) {
    const asked = new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token })
    const page = await client.send(asked)
    for (const { Key: key } of page.Contents ?? []) keys.push(key.slice(prefix.length))
    if (!page.IsTruncated) return keys
    token = page.NextContinuationToken
  }
}
