import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { errnoOf } from '../../domain/errno.js'
import { PipelineError } from '../../domain/errors.js'

/** Larger ones cost memory: pieces are put together to parts. */
const CHUNK_BYTES = 65_536

/** The length of a local file to send. @throws {STAGING_LOST} */
export async function lengthOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') throw gone(path)
    throw thrown
  }
}

/**
 * The bytes of a local file, hashed on their way. The last chunk is held back until the digest is known: of other bytes
 * than those of `sha256Hex` the store never gets all, and so keeps nothing. Fails with OBJECT_CORRUPT or STAGING_LOST.
 */
export function checkedFile(o: { path: string; bytes: number; sha256Hex: string }): Readable {
  return Readable.from(chunks(o), { objectMode: false, highWaterMark: CHUNK_BYTES })
}

async function* chunks(o: { path: string; bytes: number; sha256Hex: string }): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  let held: Buffer | null = null
  let seen = 0
  try {
    for await (const chunk of createReadStream(o.path, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
      hash.update(chunk)
      seen += chunk.length
      if (held) yield held
      held = chunk
    }
  } catch (thrown) {
    throw errnoOf(thrown) === 'ENOENT' ? gone(o.path) : thrown
  }
  refuseOther(o, hash.digest('hex'), seen)
  if (held) yield held
}

/** The bytes of a small local file, compared with its digest. @throws {OBJECT_CORRUPT, STAGING_LOST} */
export async function checkedBytes(o: { path: string; bytes: number; sha256Hex: string }): Promise<Buffer> {
  const bytes = await wholeOf(o).catch((thrown: unknown) => {
    throw errnoOf(thrown) === 'ENOENT' ? gone(o.path) : thrown
  })
  refuseOther(o, createHash('sha256').update(bytes).digest('hex'), bytes.length)
  return bytes
}

/** In as few reads as the system needs: `readFile` takes half a mebibyte at a time. */
async function wholeOf(o: { path: string; bytes: number }): Promise<Buffer> {
  const file = await open(o.path)
  try {
    // One byte more than there should be shows a file that has grown.
    const buffer = Buffer.allocUnsafe(o.bytes + 1)
    let at = 0
    for (let read = -1; read !== 0 && at < buffer.length; at += read) {
      ;({ bytesRead: read } = await file.read(buffer, at, buffer.length - at, at))
    }
    return buffer.subarray(0, at)
  } finally {
    await file.close()
  }
}

/** @throws {OBJECT_CORRUPT} for other bytes than were to be sent */
function refuseOther(o: { path: string; bytes: number; sha256Hex: string }, gotHex: string, bytes: number): void {
  if (gotHex === o.sha256Hex && bytes === o.bytes) return
  throw new PipelineError('OBJECT_CORRUPT', 'the bytes read from disk are not those that were written', {
    at: o.path, wantHex: o.sha256Hex, gotHex,
  })
}

const gone = (path: string): PipelineError => new PipelineError('STAGING_LOST', 'the file to store is gone', { at: path })
