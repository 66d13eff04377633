import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { answer, answerBare, answerError, answerNoSuchKey } from './answer.js'
import { etagOfBytes, type Bucket, type BucketFile } from './bucket.js'
import { parseRange, type ByteRange } from './byte-range.js'
import type { Exchange } from './exchange.js'
import { checkPreconditions, rangeHolds } from './preconditions.js'
import type { Body } from './transmit.js'

/** What a key holds: its size, ETag and time of last change, and how to read a stretch of it. */
type Content = {
  readonly size: number
  readonly etag: string
  readonly mtimeMs: number
  readonly read: (range: ByteRange) => Body
}

const CHECKSUM = '.CHECKSUM'

/** Serves GET and HEAD of the keys below `data/`: whole, in part or on condition. */
export async function serveObject(x: Exchange, bucket: Bucket): Promise<void> {
  const file = x.faults.hides(x.key) ? null : await bucket.find(x.key)
  if (file === null) return answerNoSuchKey(x)
  if (x.key.endsWith(CHECKSUM)) {
    if (x.faults.strike('missingChecksum', x.logged.path) !== null) return answerNoSuchKey(x)
    return sendContent(x, await checksumOf(x, bucket, file))
  }
  return sendContent(x, await contentOf(bucket, file))
}

async function sendContent(x: Exchange, content: Content): Promise<void> {
  const modifiedMs = Math.floor(content.mtimeMs / 1000) * 1000
  const validators = { etag: content.etag, modifiedMs }
  const headers = { etag: content.etag, 'last-modified': new Date(modifiedMs).toUTCString(), 'accept-ranges': 'bytes' }
  const verdict = checkPreconditions(x.req.headers, validators)
  if (verdict === 'not modified') return answerBare(x, 304, headers)
  if (verdict === 'failed') {
    const message = 'At least one of the pre-conditions you specified did not hold'
    return answerError(x, 412, { code: 'PreconditionFailed', message })
  }
  const asked = rangeHolds(x.req.headers, validators) ? parseRange(x.req.headers.range, content.size) : null
  if (asked === 'unsatisfiable') {
    const error = { code: 'InvalidRange', message: 'The requested range is not satisfiable' }
    return answerError(x, 416, error, { 'content-range': `bytes */${content.size}` })
  }
  const range = asked ?? { first: 0, last: content.size - 1 }
  const part = asked === null ? {} : { 'content-range': `bytes ${range.first}-${range.last}/${content.size}` }
  const head = {
    status: asked === null ? 200 : 206,
    headers: { 'content-type': contentTypeOf(x.key), ...headers, ...part },
    length: range.last - range.first + 1,
  }
  await answer(x, head, flipped(x, content.size, range, content.read(range)))
}

const contentTypeOf = (key: string): string => (key.endsWith('.zip') ? 'application/zip' : 'binary/octet-stream')

async function contentOf(bucket: Bucket, file: BucketFile): Promise<Content> {
  const read = ({ first, last }: ByteRange): Body => readStretch(file.path, first, last)
  return { size: file.size, etag: await bucket.etagOf(file), mtimeMs: file.mtimeMs, read }
}

/** Opens the file only when the first byte is wanted: a HEAD needs none. */
async function* readStretch(path: string, first: number, last: number): AsyncGenerator<Buffer> {
  for await (const chunk of createReadStream(path, { start: first, end: last, highWaterMark: 256 * 1024 })) {
    yield chunk as Buffer
  }
}

/** A CHECKSUM file as it is, or as a fault has it. */
async function checksumOf(x: Exchange, bucket: Bucket, file: BucketFile): Promise<Content> {
  const stale = x.faults.strike('staleChecksum', x.logged.path) !== null
  const foreign = x.faults.strike('foreignChecksum', x.logged.path) !== null
  if (!stale && !foreign) return contentOf(bucket, file)
  const [digest = '', name = ''] = (await readFile(file.path, 'utf8')).trim().split(/\s+/)
  const other = createHash('sha256').update(`an earlier upload with ${digest}`).digest('hex')
  const bytes = Buffer.from(`${stale ? other : digest}  ${foreign ? `OTHER-${name}` : name}`)
  const read = ({ first, last }: ByteRange): Body => [bytes.subarray(first, last + 1)]
  return { size: bytes.length, etag: etagOfBytes(bytes), mtimeMs: file.mtimeMs, read }
}

/** The body with one bit turned where a fault says so and the stretch holds that bit. */
function flipped(x: Exchange, size: number, range: ByteRange, body: Body): Body {
  if (x.method === 'HEAD' || size === 0 || !x.key.endsWith('.zip')) return body
  const { offset, mask } = x.faults.flippedBit(x.logged.path, size)
  if (offset < range.first || offset > range.last || x.faults.strike('flipBits', x.logged.path) === null) return body
  return turnBit(body, offset - range.first, mask)
}

async function* turnBit(body: Body, at: number, mask: number): AsyncGenerator<Uint8Array> {
  let seen = 0
  for await (const chunk of body) {
    const byte = chunk[at - seen]
    seen += chunk.length
    if (byte === undefined) {
      yield chunk
      continue
    }
    const copy = Uint8Array.from(chunk)
    copy[copy.length - (seen - at)] = byte ^ mask
    yield copy
  }
}
