import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { diskFull } from '../domain/disk-full.js'
import { errnoOf } from '../domain/errno.js'
import { PipelineError } from '../domain/errors.js'

type Pieces = AsyncIterable<string | Uint8Array>

/** A stream that takes bytes, as far as this needs it: stdout. */
export interface ByteSink {
  write(bytes: Uint8Array, done: (error?: Error | null) => void): boolean
}

/**
 * Writes a file whole or not at all: what grows beside it takes its name at the end. What is there already and no file
 * (a pipe, a device) is written to as it is. Gives the bytes written.
 * @throws {BAD_USAGE} it cannot be opened @throws {DISK_FULL} @throws whatever the pieces end with
 */
export async function writeWhole(path: string, pieces: Pieces): Promise<number> {
  const isFile = !(await isNoFile(path))
  const at = isFile ? partialOf(path) : path
  try {
    const bytes = await writing(path, at, async (handle) => {
      const written = await writePieces(handle, pieces)
      if (isFile) await handle.sync()
      return written
    })
    if (isFile) await rename(at, path)
    return bytes
  } catch (thrown) {
    if (isFile) await rm(at, { force: true })
    throw diskFull(thrown, path) ?? thrown
  }
}

/** Where a file grows before it takes its name. */
export const partialOf = (path: string): string => `${path}.${process.pid}.partial`

/** Hands pieces to a stream, each when it has taken the one before. Gives the bytes. */
export async function writeTo(sink: ByteSink, pieces: Pieces): Promise<number> {
  let bytes = 0
  for await (const piece of pieces) {
    const buffer = bufferOf(piece)
    await new Promise<void>((resolve, reject) => {
      sink.write(buffer, (error) => (error ? reject(error) : resolve()))
    })
    bytes += buffer.length
  }
  return bytes
}

export async function* gzipped(pieces: Pieces): AsyncGenerator<Uint8Array> {
  const gzip = createGzip()
  const piped = pipeline(pieces, gzip)
  piped.catch(() => undefined) // the reading of gzip fails with the same
  try {
    for await (const piece of gzip) yield piece as Buffer
  } finally {
    gzip.destroy()
    await piped.catch(() => undefined)
  }
}

/** A file's bytes, in pieces. */
export const piecesOf = (path: string): AsyncIterable<Uint8Array> =>
  createReadStream(path, { highWaterMark: 1_048_576 })

async function writing(path: string, at: string, work: (handle: FileHandle) => Promise<number>): Promise<number> {
  const handle = await open(at, 'w').catch((thrown: unknown) => {
    const why = errnoOf(thrown) ?? 'unknown reason'
    const facts = { at: path, do: 'name another one' }
    throw new PipelineError('BAD_USAGE', `the file cannot be written (${why})`, facts, thrown)
  })
  try {
    return await work(handle)
  } finally {
    await handle.close()
  }
}

async function writePieces(handle: FileHandle, pieces: Pieces): Promise<number> {
  let bytes = 0
  for await (const piece of pieces) {
    const buffer = bufferOf(piece)
    for (let at = 0; at < buffer.length; ) at += (await handle.write(buffer, at)).bytesWritten
    bytes += buffer.length
  }
  return bytes
}

const bufferOf = (piece: string | Uint8Array): Uint8Array => (typeof piece === 'string' ? Buffer.from(piece) : piece)

async function isNoFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null)
  return found !== null && !found.isFile()
}
