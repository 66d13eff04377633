import { createHash } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { crc32 } from 'node:zlib'
import { S3Refusal } from './s3-error.js'

export type Received = { readonly path: string; readonly bytes: number; readonly md5Hex: string }

/** Writes a request's body to a file, and refuses one that is not what its headers declare. Keeps no more than a chunk. */
export async function receive(request: IncomingMessage, path: string, ignoresDigests = false): Promise<Received> {
  const declared = String(request.headers['x-amz-content-sha256'] ?? '')
  const trailers = new Map<string, string>()
  const body = /^STREAMING-/.test(declared) ? unchunked(request, trailers) : (request as AsyncIterable<Buffer>)
  const [md5, sha256] = [createHash('md5'), createHash('sha256')]
  let [bytes, crc] = [0, 0]
  const file = await open(path, 'wx')
  try {
    for await (const chunk of body) {
      md5.update(chunk)
      sha256.update(chunk)
      crc = crc32(chunk, crc)
      bytes += chunk.length
      await file.writeFile(chunk)
    }
    const length = request.headers['x-amz-decoded-content-length'] ?? request.headers['content-length']
    if (length !== undefined && Number(length) !== bytes) throw new S3Refusal(400, 'IncompleteBody')
    if (!ignoresDigests && /^[0-9a-f]{64}$/.test(declared) && sha256.digest('hex') !== declared) {
      throw new S3Refusal(400, 'XAmzContentSHA256Mismatch')
    }
    const wanted = trailers.get('x-amz-checksum-crc32') ?? request.headers['x-amz-checksum-crc32']
    if (wanted !== undefined && wanted !== base64Of(crc)) throw new S3Refusal(400, 'BadDigest')
    return { path, bytes, md5Hex: md5.digest('hex') }
  } catch (thrown) {
    await rm(path, { force: true })
    throw thrown
  } finally {
    await file.close()
  }
}

function base64Of(crc: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc)
  return bytes.toString('base64')
}

/** The payload of an aws-chunked body; what follows its last chunk goes into `trailers`. */
async function* unchunked(body: AsyncIterable<Buffer>, trailers: Map<string, string>): AsyncGenerator<Buffer> {
  let buffered = Buffer.alloc(0)
  let left = 0
  let ended = false
  for await (const piece of body) {
    buffered = Buffer.concat([buffered, piece])
    while (buffered.length > 0) {
      if (left > 0) {
        const part = buffered.subarray(0, left)
        left -= part.length
        buffered = buffered.subarray(part.length)
        yield part
        continue
      }
      const end = buffered.indexOf('\r\n')
      if (end < 0) break
      const line = buffered.subarray(0, end).toString('latin1')
      buffered = buffered.subarray(end + 2)
      if (line === '') continue // behind a chunk's data, or the end of all
      if (ended) trailers.set(line.split(':', 1)[0]?.trim() ?? '', line.slice(line.indexOf(':') + 1).trim())
      else left = Number.parseInt(line, 16)
      ended ||= left === 0
    }
  }
  if (!ended) throw new S3Refusal(400, 'IncompleteBody')
}
