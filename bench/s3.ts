import { fork } from 'node:child_process'
import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { OUR_KEYS, acquireS3, type TestS3 } from '../test/support/s3.js'
import type { BenchContext } from './bench.js'
import { interleaved, ratioOf } from './interleave.js'
import { median } from './median.js'
import { inOwnProcess } from './own-process.js'
import { many, scale } from './s3-pipeline.js'
import type { Carried, Side } from './s3-sides.js'

const MIB = 1_048_576
const SIDES = new URL('./s3-sides.js', import.meta.url).href
const SERVER = fileURLToPath(new URL('./s3-server-child.js', import.meta.url))

/** The sizes of a run: months of 1h bars, months of 1m bars, and what is sent in parts. */
const SETS = [
  { name: 'small', bytes: 64 * 1_024, files: 400, atOnce: 8, target: { atLeast: 0.9 } },
  { name: 'month', bytes: 4 * MIB, files: 64, atOnce: 4, target: { atLeast: 0.9 } },
  { name: 'parts', bytes: 128 * MIB, files: 4, atOnce: 2, target: { atLeast: 0.9 } },
]

const ROUNDS = 5
const LARGE_BYTES = 1_024 * MIB

export async function s3(b: BenchContext): Promise<void> {
  const server = await serverOf(b)
  b.say(`store: ${server.endpoint}`)
  if (b.parts.length === 0 || b.parts.includes('throughput')) await throughput(b, server)
  if (b.parts.length === 0 || b.parts.includes('memory')) await memory(b, server)
  if (b.parts.length === 0 || b.parts.includes('scale')) await scale(b, server)
  if (b.parts.length === 0 || b.parts.includes('many')) await many(b, server)
}

/** Upload and verified read-back by the adapter, beside the SDK alone; each run in a process of its own. */
async function throughput(b: BenchContext, server: TestS3): Promise<void> {
  for (const set of SETS) {
    const count = b.small ? Math.ceil(set.files / 8) : set.files
    const files = await filesOf(b, set.name, set.bytes, count)
    const side = (name: string): Side => ({ s3: server, files, scratch: join(b.dir, `scratch-${name}`), atOnce: set.atOnce })
    const run = (name: 'byAdapter' | 'bySdk') => async () => (await inOwnProcess<number>(SIDES, name, side(name))).value
    b.say(`${set.name}: ${count} files of ${set.bytes / MIB} MiB, ${set.atOnce} at once`)
    const seconds = await interleaved(b.rounds ?? (b.small ? 1 : ROUNDS), { adapter: run('byAdapter'), sdk: run('bySdk') }, b.say)
    b.figure(`${set.name}.mib-per-second`, (count * set.bytes) / MIB / median(seconds.adapter), 'MiB/s')
    b.figure(`${set.name}.objects-per-second`, count / median(seconds.adapter), '/s')
    b.figure(`${set.name}.vs-sdk`, ratioOf(seconds.sdk, seconds.adapter), 'x', set.target)
  }
}

/** The most memory of a process that stores one large file and fetches it again. */
async function memory(b: BenchContext, server: TestS3): Promise<void> {
  const bytes = b.small ? LARGE_BYTES / 8 : LARGE_BYTES
  const files = await filesOf(b, 'large', bytes, 1)
  for (const name of ['byAdapter', 'bySdk'] as const) {
    const side: Side = { s3: server, files, scratch: join(b.dir, 'large'), atOnce: 1 }
    const { value, peakRssBytes } = await inOwnProcess<number>(SIDES, name, side)
    b.say(`${name}: ${bytes / MIB} MiB up and down in ${value.toFixed(1)} s`)
    if (name === 'byAdapter') b.figure('memory', peakRssBytes / 1e6, 'MB', { atMost: 150 })
    else b.figure('memory-sdk', peakRssBytes / 1e6, 'MB')
  }
}

/** `TEST_S3_ENDPOINT`, else the suite's server in another process: its work is not the sides'. */
async function serverOf(b: BenchContext): Promise<TestS3> {
  if (process.env['TEST_S3_ENDPOINT']) return await acquireS3()
  const child = fork(SERVER)
  const gone = new Promise((resolve) => child.once('exit', resolve))
  b.atEnd(async () => {
    if (child.connected) child.disconnect()
    // It removes what it was given first, some gibibytes.
    await gone
  })
  const endpoint = await new Promise<string>((resolve, reject) => {
    child.once('message', (message) => resolve(message as string))
    child.once('exit', (code) => reject(new Error(`the S3 server ended with ${code ?? 'a signal'}`)))
  })
  const value: TestS3 = { ...OUR_KEYS, endpoint, region: 'us-east-1', bucket: 'candlelake-bench', server: null }
  const client = new S3Client({ endpoint, region: value.region, forcePathStyle: true, credentials: OUR_KEYS })
  await client.send(new CreateBucketCommand({ Bucket: value.bucket }))
  client.destroy()
  return value
}

/** New files of random bytes, and their digests. */
async function filesOf(b: BenchContext, name: string, bytes: number, count: number): Promise<readonly Carried[]> {
  const files: Carried[] = []
  for (let n = 0; n < count; n++) {
    const path = join(b.dir, `${name}-${n}`)
    const [stream, hash] = [createCipheriv('aes-256-ctr', randomBytes(32), randomBytes(16)), createHash('sha256')]
    const file = await open(path, 'wx')
    for (let at = 0; at < bytes; at += 16 * MIB) {
      const piece = stream.update(Buffer.alloc(Math.min(16 * MIB, bytes - at)))
      hash.update(piece)
      await file.writeFile(piece)
    }
    await file.close()
    files.push({ path, sha256Hex: hash.digest('hex') })
  }
  return files
}
