import { errnoOf } from '../../domain/errno.js'
import { PipelineError } from '../../domain/errors.js'
import type { ParquetFooter } from '../../domain/parquet-footer.js'
import { mergeRanges, planRanges, type ByteRange, type WantedPart } from '../../domain/plan-ranges.js'
import type { ObjectVersion, RangeSource, ReadCost } from '../../domain/ports/range-source.js'
import { footerBytes, readFooter } from './read-footer.js'
import type { CacheEntry, RangeCache } from './range-cache.js'
import { inParallel, inPieces, Slots } from './request-pieces.js'

/** A local file of the object's length that holds footer and wanted part, and nothing but holes elsewhere. */
export type FetchedPart = { readonly path: string; readonly footer: ParquetFooter; readonly cost: ReadCost }

export type RemoteParquetOptions = {
  /** The first request takes so many bytes at the end: footers of most files are shorter. */
  readonly tailBytes?: number
  /** Wanted ranges no further apart than this are one request. */
  readonly gapBytes?: number
  /** Requests for one object at a time. */
  readonly parallel?: number
  /** Requests for all objects at a time. */
  readonly parallelInAll?: number
}

/*
 * A month of 1s candles (22 row groups) has a footer of 26 KB. A gap of 128 KiB is 10 ms at 100 Mbit/s: less than one
 * more request costs where latency is 20 ms or more. Each request at a time holds a piece in memory: 64 MiB at most,
 * however many objects a question has.
 */
const DEFAULTS = { tailBytes: 64 * 1024, gapBytes: 128 * 1024, parallel: 8, parallelInAll: 16 } as const

const MAGIC_RANGE: ByteRange = { start: 0, end: 4 }

/**
 * Reads Parquet objects by ranges: the footer with one request, then only the column chunks of wanted row groups, all
 * at once, every one with `If-Match`. Parts once fetched are kept by ETag.
 */
export class RemoteParquet {
  readonly #cache: RangeCache
  readonly #o: Required<RemoteParquetOptions>
  /** Fetches of one object wait for each other: the second finds what the first fetched. */
  readonly #turns = new Map<string, Promise<unknown>>()
  readonly #slots: Slots

  constructor(cache: RangeCache, o: RemoteParquetOptions = {}) {
    this.#cache = cache
    this.#o = { ...DEFAULTS, ...o }
    this.#slots = new Slots(this.#o.parallelInAll)
  }

  /**
   * @throws {PRECONDITION_FAILED} the object is not the planned one, or became another while it was read
   * @throws {OBJECT_CORRUPT, OBJECT_ABSENT, STORE_UNREACHABLE, DISK_FULL}
   */
  async fetch(source: RangeSource, want: WantedPart, signal: AbortSignal): Promise<FetchedPart> {
    return await this.#read(source, signal, async (reading, entry) => {
      const footer = await reading.footer(entry)
      await reading.fill(entry, planRanges(footer, want).ranges)
      return { path: entry.path, footer, cost: reading.cost }
    })
  }

  /** The footer alone. Same errors. */
  async footer(source: RangeSource, signal: AbortSignal): Promise<{ footer: ParquetFooter; cost: ReadCost }> {
    const work = async (reading: Reading, entry: CacheEntry) =>
      ({ footer: await reading.footer(entry), cost: reading.cost })
    return await this.#read(source, signal, work)
  }

  /** What the cache held may be spoilt, or taken away meanwhile: then it is forgotten, and all is fetched once more. */
  async #read<T>(
    source: RangeSource,
    signal: AbortSignal,
    work: (reading: Reading, entry: CacheEntry) => Promise<T>,
  ): Promise<T> {
    return await this.#inTurn(source.cacheId, async () => {
      const reading = new Reading(source, { ...this.#o, slots: this.#slots }, signal)
      const entry = await reading.open(this.#cache)
      // At once: what was touched is not evicted while it is read.
      await entry.touch()
      const wasCached = reading.cost.bytesRead === 0 && !entry.isEmpty
      const done = await work(reading, entry).catch(async (thrown: unknown) => {
        if (!wasCached || !isSpoilt(thrown)) throw thrown
        await entry.drop()
        return await work(reading, entry)
      })
      if (reading.cost.bytesRead > 0) await this.#cache.grow(reading.cost.bytesRead)
      return done
    })
  }

  async #inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(id) ?? Promise.resolve()
    const turn = before.then(work, work)
    const settled = turn.catch(() => undefined)
    this.#turns.set(id, settled)
    try {
      return await turn
    } finally {
      if (this.#turns.get(id) === settled) this.#turns.delete(id)
    }
  }
}

const isSpoilt = (thrown: unknown): boolean =>
  (thrown instanceof PipelineError && thrown.code === 'OBJECT_CORRUPT') ||
  errnoOf(thrown) === 'ENOENT'

type ReadingOptions = Required<RemoteParquetOptions> & { readonly slots: Slots }

/** One object being read, and what that costs. */
class Reading {
  readonly cost = { requests: 0, bytesRead: 0, cacheHits: 0 }
  readonly #source: RangeSource
  readonly #o: ReadingOptions
  readonly #signal: AbortSignal
  #version: ObjectVersion = { etag: '', bytes: 0 }

  constructor(source: RangeSource, o: ReadingOptions, signal: AbortSignal) {
    this.#source = source
    this.#o = o
    this.#signal = signal
  }

  /** The version: as planned, or as a HEAD says where a part is cached, or as the first bytes come with. */
  async open(cache: RangeCache): Promise<CacheEntry> {
    const { cacheId, planned } = this.#source
    if (planned !== null) return await this.#entry(cache, planned)
    if ((await cache.lastVersion(cacheId)) !== null) {
      this.cost.requests++
      return await this.#entry(cache, await this.#source.head(this.#signal))
    }
    this.cost.requests++
    const { version, tail } = await this.#source.tail(this.#o.tailBytes, this.#signal)
    this.cost.bytesRead += tail.length
    const entry = await this.#entry(cache, version)
    await entry.add((write) => write({ start: version.bytes - tail.length, bytes: tail }))
    return entry
  }

  async #entry(cache: RangeCache, version: ObjectVersion): Promise<CacheEntry> {
    this.#version = version
    return await cache.entry(this.#source.cacheId, version)
  }

  async footer(entry: CacheEntry): Promise<ParquetFooter> {
    const { bytes } = this.#version
    const { id } = this.#source
    if (bytes < 12) throw new PipelineError('OBJECT_CORRUPT', 'it is too short for a Parquet file', { at: id, bytes })
    const trailer = { start: bytes - 8, end: bytes }
    // A small object whole is one request in place of two or three.
    const most = bytes <= 2 * this.#o.tailBytes ? bytes : this.#o.tailBytes
    if (entry.missing([trailer]).length > 0) await this.fill(entry, [{ start: bytes - most, end: bytes }])
    const length = footerBytes(await entry.read(trailer), bytes, id)
    const range = { start: bytes - length, end: bytes }
    await this.fill(entry, [range])
    return await readFooter(await entry.read(range), bytes, id)
  }

  /** Fetches what is missing of the wanted ranges, all at once. Readers look for the magic bytes: they are known. */
  async fill(entry: CacheEntry, wanted: readonly ByteRange[]): Promise<void> {
    const missing = entry.missing(wanted)
    if (missing.length === 0) {
      this.cost.cacheHits = this.cost.bytesRead === 0 ? 1 : 0
      return
    }
    this.cost.cacheHits = 0
    const asked = mergeRanges(missing, this.#o.gapBytes).flatMap(inPieces)
    const magic = entry.missing([MAGIC_RANGE]).length > 0
    await entry.add(async (write) => {
      if (magic) await write({ start: 0, bytes: Buffer.from('PAR1') })
      await inParallel(asked, this.#o.parallel, ({ start, end }) =>
        this.#o.slots.hold(async () => {
          this.#signal.throwIfAborted()
          this.cost.requests++
          const bytes = await this.#source.read({ start, end, version: this.#version, signal: this.#signal })
          this.cost.bytesRead += bytes.length
          await write({ start, bytes })
        }),
      )
    })
  }
}
