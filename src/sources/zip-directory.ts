import { createReadStream, readSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { PassThrough, type Readable } from 'node:stream'
import unzipper from 'unzipper'
import { PipelineError } from '../domain/errors.js'
import { shown } from './findings-log.js'
import { ENTRIES_MAX } from './zip-limits.js'

/** The data of one file in a ZIP: where its deflated bytes lie and what the directory says of them. */
export type ZipMember = {
  /** As the ZIP says it: to be compared and shown, never a path. */
  readonly name: string
  readonly method: number
  readonly crc32: number
  /** Deflated bytes, from `offset` on. */
  readonly bytes: number
  readonly offset: number
  /** What the directory claims; counted again while inflating. */
  readonly claimedSize: number
  readonly hasDescriptor: boolean
  readonly end: number
}

/** An open ZIP: `name` is for messages. */
export type ZipFile = {
  readonly path: string
  readonly handle: FileHandle
  readonly size: number
  readonly name: string
}

type Entry = {
  readonly signature: number
  readonly path: string
  readonly flags: number
  readonly compressionMethod: number
  readonly crc32: number
  readonly compressedSize: number
  readonly uncompressedSize: number
  readonly externalFileAttributes: number
  readonly offsetToLocalFileHeader: number
}

/** `tailSize`, how far from the end to look for the directory record, is missing in unzipper's types. */
const openDirectory = unzipper.Open.custom as (
  source: Parameters<typeof unzipper.Open.custom>[0],
  options: { tailSize: number },
) => ReturnType<typeof unzipper.Open.custom>

const END_SIGNATURE = Buffer.from([0x50, 0x4b, 0x05, 0x06])
const END_BYTES = 22
/** The end record and its longest comment. */
const TAIL_BYTES = END_BYTES + 65_535
const ENTRY_SIGNATURE = 0x02014b50
const LOCAL_SIGNATURE = 0x04034b50
const LOCAL_BYTES = 30
const ENCRYPTED = 0x1
const DESCRIPTOR = 0x8
const SYMLINK = 0o120000
const FILE_TYPE = 0o170000

export const zipCorrupt = (zip: { name: string }, what: string, cause?: unknown): PipelineError =>
  new PipelineError('ZIP_CORRUPT', `${zip.name}: ${what}`, { at: zip.name, what }, cause)

export const zipRefused = (zip: { name: string }, what: string): PipelineError =>
  new PipelineError('ZIP_REFUSED', `${zip.name}: ${what}`, { at: zip.name, what })

/**
 * The one file in a ZIP, or the two identical ones that one archive file is known to have.
 * @throws {ZIP_CORRUPT} the directory or a local header does not hold together
 * @throws {ZIP_REFUSED} no or several files, encryption, a symbolic link, an unknown method
 */
export async function readMembers(zip: ZipFile): Promise<ZipMember[]> {
  const entries = await readDirectory(zip)
  if (entries.some((entry) => entry.signature !== ENTRY_SIGNATURE)) throw zipCorrupt(zip, 'its directory is broken')
  const files = entries.filter((entry) => !(entry.path.endsWith('/') && entry.uncompressedSize === 0))
  const [first, second] = files
  if (!first) throw zipRefused(zip, 'it holds no file')
  if (
    second &&
    (files.length > 2 || first.crc32 !== second.crc32 || first.uncompressedSize !== second.uncompressedSize)
  ) {
    throw zipRefused(zip, `it holds ${files.length} files in place of one`)
  }
  for (const entry of files) refuseOddities(zip, entry)
  return files.map((entry) => locate(zip, entry))
}

async function readDirectory(zip: ZipFile): Promise<Entry[]> {
  const tail = bytesAt(zip, Math.max(0, zip.size - TAIL_BYTES), Math.min(zip.size, TAIL_BYTES))
  const tailSize = findEnd(zip, tail)
  const source = {
    size: () => Promise.resolve(zip.size),
    stream: (offset: number) => rangeOf(zip, tail, offset),
  }
  try {
    const { files } = await openDirectory(source, { tailSize })
    return files
  } catch (thrown) {
    throw zipCorrupt(zip, 'its directory cannot be read', thrown)
  }
}

/**
 * The bytes from `offset` to the end; none where it lies outside, so that a directory that points there is read as cut
 * off. A directory within the tail, which is that of every good file, needs no further read.
 */
function rangeOf(zip: ZipFile, tail: Buffer, offset: number): Readable {
  const inTail = offset - (zip.size - tail.length)
  if (inTail >= 0) return new PassThrough().end(tail.subarray(inTail))
  if (!Number.isSafeInteger(offset) || offset < 0) return new PassThrough().end()
  return createReadStream(zip.path, { start: offset, highWaterMark: 16_384 })
}

/**
 * How far from the file's end its directory record stands. unzipper takes the first thing that looks like one, here it
 * is the last one whose comment ends with the file; and unzipper would read as many entries as a record of 16 bits
 * claims.
 */
function findEnd(zip: ZipFile, tail: Buffer): number {
  const { length } = tail
  if (!tail.includes('PK')) throw zipCorrupt(zip, 'it is not a ZIP file')
  for (
    let at = tail.lastIndexOf(END_SIGNATURE);
    at >= 0;
    at = at === 0 ? -1 : tail.lastIndexOf(END_SIGNATURE, at - 1)
  ) {
    if (at + END_BYTES > length || at + END_BYTES + tail.readUInt16LE(at + 20) !== length) continue
    checkCount(zip, tail.readUInt16LE(at + 10), zip.size - length + at)
    return length - at
  }
  throw zipCorrupt(zip, 'it has no directory: it is cut off, or not a ZIP file')
}

function checkCount(zip: ZipFile, claimed: number, endAt: number): void {
  let count = claimed
  if (count === 0xffff && endAt >= 20) {
    const locator = bytesAt(zip, endAt - 20, 20)
    const at = Number(locator.readBigUInt64LE(8))
    if (at + 56 > zip.size) throw zipCorrupt(zip, 'its ZIP64 directory lies beyond its end')
    count = Number((bytesAt(zip, at, 56)).readBigUInt64LE(32))
  }
  if (count > ENTRIES_MAX) throw zipRefused(zip, `it claims ${count} files in place of one`)
}

function refuseOddities(zip: ZipFile, entry: Entry): void {
  if ((entry.flags & ENCRYPTED) !== 0) throw zipRefused(zip, 'it is encrypted')
  if (((entry.externalFileAttributes >>> 16) & FILE_TYPE) === SYMLINK) throw zipRefused(zip, 'it holds a symbolic link')
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8) {
    throw zipRefused(zip, `compression method ${entry.compressionMethod} is not known here`)
  }
}

function locate(zip: ZipFile, entry: Entry): ZipMember {
  const at = entry.offsetToLocalFileHeader
  if (!(at >= 0 && at + LOCAL_BYTES <= zip.size)) throw zipCorrupt(zip, 'its directory points beyond its end')
  const local = bytesAt(zip, at, LOCAL_BYTES)
  if (local.readUInt32LE(0) !== LOCAL_SIGNATURE) throw zipCorrupt(zip, 'its directory points at no file')
  const offset = at + LOCAL_BYTES + local.readUInt16LE(26) + local.readUInt16LE(28)
  const end = offset + entry.compressedSize
  if (!(end <= zip.size)) throw zipCorrupt(zip, `"${shown(entry.path)}" goes beyond its end`)
  const hasDescriptor = (local.readUInt16LE(6) & DESCRIPTOR) !== 0
  if ((local.readUInt16LE(6) & ENCRYPTED) !== 0) throw zipRefused(zip, 'it is encrypted')
  const agrees =
    local.readUInt16LE(8) === entry.compressionMethod && (hasDescriptor || local.readUInt32LE(14) === entry.crc32)
  if (!agrees) throw zipCorrupt(zip, 'its directory and its file header disagree')
  return {
    name: entry.path,
    method: entry.compressionMethod,
    crc32: entry.crc32,
    bytes: entry.compressedSize,
    offset,
    claimedSize: entry.uncompressedSize,
    hasDescriptor,
    end,
  }
}

/** Exactly `length` bytes. @throws {ZIP_CORRUPT} where the file ends earlier */
export function bytesAt(zip: ZipFile, position: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length)
  const bytesRead = readSync(zip.handle.fd, buffer, 0, length, position)
  if (bytesRead < length) throw zipCorrupt(zip, `it ends ${length - bytesRead} bytes too early`)
  return buffer
}
