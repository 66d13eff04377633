import { createHash, randomUUID } from 'node:crypto'
import {
  constants,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
  type FileHandle,
} from 'node:fs/promises'
import { join } from 'node:path'
import { mergeRanges, missingRanges, sizeOf, type ByteRange } from '../../domain/plan-ranges.js'
import type { ObjectVersion } from '../../domain/ports/range-source.js'

/** A piece of an object, and where it begins. */
export type Piece = { readonly start: number; readonly bytes: Buffer }

type Index = {
  readonly etag: string
  readonly bytes: number
  readonly ranges: readonly (readonly [number, number])[]
}

/** What a reader may still be reading is not evicted. */
const GRACE_MS = 600_000
/** An eviction reads every index: one is worth it after so many bytes, or a twentieth of the limit. */
const EVICT_EVERY_BYTES = 64 * 1024 ** 2

/**
 * Parts of remote objects on disk: for each object and ETag a file as long as the object, empty where nothing was
 * fetched, and beside it an index of what was. The index is written after the bytes have been flushed, so that it
 * never promises what a power cut took. Processes share a folder without locks: bytes of one ETag are the same whoever
 * writes them, and an index that lost another's ranges costs a second fetch.
 */
export class RangeCache {
  readonly #dir: string
  readonly #maxBytes: number
  readonly #graceMs: number
  /** Since the last eviction; the first bytes of a process are reason enough, since it knows not what others left. */
  #grownBytes = Number.POSITIVE_INFINITY
  #isEvicting = false

  constructor(o: { dir: string; maxBytes: number; graceMs?: number }) {
    this.#dir = o.dir
    this.#maxBytes = o.maxBytes
    this.#graceMs = o.graceMs ?? GRACE_MS
  }

  /** The version of an object that was read last; null when there was none. */
  async lastVersion(id: string): Promise<ObjectVersion | null> {
    const index = await readJson<ObjectVersion>(join(this.#dir, `${digestOf(id)}.last`))
    return typeof index?.etag === 'string' ? index : null
  }

  /** The cached part of one version; empty when nothing is cached. */
  async entry(id: string, version: ObjectVersion): Promise<CacheEntry> {
    const path = join(this.#dir, `${digestOf(id)}-${digestOf(`${version.etag} ${version.bytes}`)}.parquet`)
    const index = await readJson<Index>(`${path}.index`)
    const same = index?.etag === version.etag && index.bytes === version.bytes && (await sizeAt(path)) === index.bytes
    const ranges = same ? index.ranges.map(([start, end]) => ({ start, end })) : []
    return new CacheEntry({ dir: this.#dir, last: join(this.#dir, `${digestOf(id)}.last`), path, version, ranges })
  }

  /** Counts bytes that were added; now and then, never twice at a time, evicts. */
  async grow(bytes: number): Promise<void> {
    this.#grownBytes += bytes
    if (this.#isEvicting || this.#grownBytes < Math.min(EVICT_EVERY_BYTES, this.#maxBytes / 20)) return
    this.#grownBytes = 0
    this.#isEvicting = true
    try {
      await this.evict()
    } finally {
      this.#isEvicting = false
    }
  }

  /** Takes away what was used longest ago until the rest fits the limit; gives the bytes that are left. */
  async evict(): Promise<number> {
    const names = new Set(await namesIn(this.#dir))
    const found: { path: string; bytes: number; usedMs: number }[] = []
    for (const name of names) {
      const path = join(this.#dir, name)
      if (name.endsWith('.parquet') && !names.has(`${name}.index`)) await this.#removeLeft(path)
      if (!name.endsWith('.index')) continue
      const index = await readJson<Index>(path)
      const bytes = sizeOf((index?.ranges ?? []).map(([start, end]) => ({ start, end })))
      found.push({ path, bytes, usedMs: (await stat(path).catch(() => null))?.mtimeMs ?? 0 })
    }
    let total = found.reduce((sum, { bytes }) => sum + bytes, 0)
    for (const { path, bytes, usedMs } of found.sort((a, b) => a.usedMs - b.usedMs)) {
      if (total <= this.#maxBytes || usedMs > Date.now() - this.#graceMs) break
      await rm(path, { force: true })
      await rm(path.slice(0, -'.index'.length), { force: true })
      total -= bytes
    }
    return total
  }

  /** A file without an index, of a process that was killed: nobody counts it, and nobody else takes it away. */
  async #removeLeft(path: string): Promise<void> {
    const writtenMs = (await stat(path).catch(() => null))?.mtimeMs ?? Number.POSITIVE_INFINITY
    if (writtenMs < Date.now() - this.#graceMs) await rm(path, { force: true })
  }
}

/** One object's cached part. */
export class CacheEntry {
  /** A file of the object's length that holds the present ranges; it exists once something was added. */
  readonly path: string
  readonly #o: { readonly dir: string; readonly last: string; readonly path: string; readonly version: ObjectVersion }
  #ranges: readonly ByteRange[]

  constructor(o: { dir: string; last: string; path: string; version: ObjectVersion; ranges: readonly ByteRange[] }) {
    this.path = o.path
    this.#o = o
    this.#ranges = o.ranges
  }

  /** Nothing of the version is present. */
  get isEmpty(): boolean {
    return this.#ranges.length === 0
  }

  missing(wanted: readonly ByteRange[]): ByteRange[] {
    return missingRanges(wanted, this.#ranges)
  }

  /** Bytes that are present. */
  async read({ start, end }: ByteRange): Promise<Buffer> {
    const handle = await open(this.path)
    try {
      return (await handle.read(Buffer.alloc(end - start), 0, end - start, start)).buffer
    } finally {
      await handle.close()
    }
  }

  /** Lets `fill` write pieces in any order, then says in the index that they are there; nothing when it throws. */
  async add(fill: (write: (piece: Piece) => Promise<void>) => Promise<unknown>): Promise<void> {
    await mkdir(this.#o.dir, { recursive: true })
    const handle = await this.#open()
    const added: ByteRange[] = []
    try {
      await fill(async ({ start, bytes }) => {
        for (let at = 0; at < bytes.length;)
          at += (await handle.write(bytes, at, bytes.length - at, start + at)).bytesWritten
        added.push({ start, end: start + bytes.length })
      })
      await handle.datasync()
    } finally {
      await handle.close()
    }
    this.#ranges = mergeRanges([...this.#ranges, ...added])
    const ranges = this.#ranges.map(({ start, end }) => [start, end] as const)
    await writeWhole(`${this.path}.index`, { ...this.#o.version, ranges } satisfies Index)
    await writeWhole(this.#o.last, this.#o.version)
  }

  /** Remembers that it was used now. */
  async touch(): Promise<void> {
    const now = new Date()
    await utimes(`${this.path}.index`, now, now).catch(() => undefined)
  }

  /** Forgets what is there: it turned out to be of no use. The file stays: another reader may have it open. */
  async drop(): Promise<void> {
    await rm(`${this.path}.index`, { force: true })
    this.#ranges = []
  }

  /**
   * Never empties what is there: another process may have written since the index was read, and its index promises it.
   * The name of the file holds ETag and length, so that giving it its length changes nothing of a file that is whole.
   */
  async #open(): Promise<FileHandle> {
    if (this.#ranges.length > 0) return await open(this.path, 'r+')
    const handle = await open(this.path, constants.O_RDWR | constants.O_CREAT)
    try {
      await handle.truncate(this.#o.version.bytes)
    } catch (thrown) {
      await handle.close()
      throw thrown
    }
    return handle
  }
}

/** Names of objects may be long and hold any character. */
const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32)

const sizeAt = async (path: string): Promise<number | null> => (await stat(path).catch(() => null))?.size ?? null

const namesIn = async (dir: string): Promise<string[]> => await readdir(dir).catch(() => [])

/** Null for a file that is not there or that is no JSON: a cache may be damaged at any time. */
async function readJson<T>(path: string): Promise<T | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T
  } catch {
    return null
  }
}

async function writeWhole(path: string, value: unknown): Promise<void> {
  const temp = `${path}.${randomUUID()}`
  await writeFile(temp, JSON.stringify(value))
  await rename(temp, path)
}
