import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bytesOf, type ArchiveRead } from '../../domain/archive-reads.js'
import type { Call } from '../../domain/call.js'
import type { NumericType } from '../../domain/candle.js'
import type { Batches, Candle } from '../../domain/candle-row.js'
import { crowdedBy } from '../../domain/certify.js'
import { parseDataset } from '../../domain/dataset.js'
import { diskFull } from '../../domain/disk-full.js'
import { PipelineError } from '../../domain/errors.js'
import { gridPointsIn, parseInterval } from '../../domain/interval.js'
import { monthRange, type TimeRange } from '../../domain/month.js'
import { partitionKeyOf, seriesKeyOf, type Partition, type Series } from '../../domain/partition.js'
import type { Archive, ArchiveListing, Fetched } from '../../domain/ports/archive.js'
import type { FoundCandles, WantedCandles } from '../../domain/ports/candle-source.js'
import { Resource } from '../../domain/resource.js'
import { sliceOf, type Slice } from '../../domain/slice.js'
import type { WantedSource } from '../../domain/source.js'
import { parseSymbol } from '../../domain/symbol.js'
import { candleBatches } from '../../sources/candle-batches.js'
import { RowMemory } from '../../sources/candle-rows.js'
import { corrupt } from '../../sources/findings-log.js'
import { readPartition, type PartitionRead } from '../../sources/read-partition.js'
import { openArchive, type ArchiveOptions } from './archive-client.js'
import { openArchiveListing, type ListingOptions } from './archive-listing.js'
import { mend } from './mend.js'
import { patience } from './patience.js'
import { readAhead } from './read-ahead.js'
import { readerFailure } from './reader-failure.js'
import { intervalsListed, monthlyFiles, reachOf, readsOf, seriesWanted, symbolsListed } from './series-files.js'

/** Files on their way at one time: enough to fill a line over which each is limited, few enough to keep on any disk. */
const FILES_AHEAD = 8

/** Where the archive is, and how requests travel. */
export type ReaderSettings = ArchiveOptions & ListingOptions

/** A partition as it was read; `range` is what of it was asked for. */
export type ReadMonth = PartitionRead & { readonly partition: Partition; readonly range: TimeRange }

type Opened = { readonly archive: Archive; readonly listing: ArchiveListing; close(): Promise<void> }

/** Reads the archive without a lake. Its settings are asked for at the first call. */
export class ArchiveReader extends Resource {
  readonly #settings: () => Promise<ReaderSettings>
  readonly #closed = new AbortController()
  #opened: Promise<Opened> | null = null

  constructor(settings: () => Promise<ReaderSettings>) {
    super()
    this.#settings = settings
  }

  /**
   * What the bucket lists, delisted names too: symbols of a dataset, intervals of a symbol (the shortest first), months
   * of a series that have a monthly file. Symbols and months come in order.
   * @throws {ARCHIVE_UNREACHABLE} @throws {BAD_USAGE, BAD_MARKET, BAD_SYMBOL, BAD_INTERVAL}
   */
  async *list(what: 'symbols' | 'intervals' | 'months', at: Partial<Series>, c: Call = {}): AsyncGenerator<string> {
    const signal = this.#signalOf(c)
    const { listing } = await this.#open()
    const dataset = parseDataset(named(at.dataset, 'dataset'))
    if (what === 'symbols') {
      yield* symbolsListed(listing, dataset, signal)
      return
    }
    const symbol = parseSymbol(named(at.symbol, 'symbol'))
    if (what === 'intervals') {
      yield* await intervalsListed(listing, { dataset, symbol }, signal)
      return
    }
    const interval = parseInterval(named(at.interval, 'interval'))
    yield* (await monthlyFiles(listing, { dataset, symbol, interval }, signal)).keys()
  }

  /** The last month, `2024-01`, that a series has a monthly file of; null for none. @throws {ARCHIVE_UNREACHABLE} */
  async latestAvailableMonth(s: Series, c: Call = {}): Promise<string | null> {
    const { listing } = await this.#open()
    return [...(await monthlyFiles(listing, seriesOf(s), this.#signalOf(c))).keys()].at(-1) ?? null
  }

  /**
   * Candles of a partition, or of a slice over months, in order of time and each once; numbers are exact decimals. A
   * month is judged as a whole, by the same table as the lake, before its first row is given. Files further on are
   * downloaded meanwhile. Months without a file are left out.
   * @throws {ARCHIVE_ABSENT} nothing of what was asked for is there
   * @throws {CORRUPT} what the lake would quarantine; `facts.finding` says why
   * @throws {ARCHIVE_UNREACHABLE, ARCHIVE_BUSY, ARCHIVE_REFUSED, ARCHIVE_REDIRECT, DISK_FULL}
   */
  async *candles(at: Partition | Slice, c: Call = {}): Batches<Candle<string>> {
    for await (const { rows, range } of this.months(at, 'decimal', c)) yield* candleBatches(rows, range)
  }

  /** The same, a month at a time, as the engine holds rows: those of a month are good until the next is asked for. */
  async *months(at: Partition | Slice, numericType: NumericType, c: Call = {}): AsyncGenerator<ReadMonth> {
    const signal = this.#signalOf(c)
    const asked = sliceFor(at)
    try {
      signal.throwIfAborted()
      const { archive, listing } = await this.#open()
      const reads = await readsOf(listing, asked, signal)
      if (reads.length === 0) throw absent(at)
      yield* this.#read(reads, archive, { numericType, signal, onProgress: c.onProgress })
    } catch (thrown) {
      signal.throwIfAborted()
      throw readerFailure(thrown)
    }
  }

  /** The series that are wanted and there, by symbol and interval. @throws {ARCHIVE_UNREACHABLE} */
  async *find(
    wanted: WantedCandles, o: { signal: AbortSignal; onMissing: (series: Series) => void },
  ): AsyncGenerator<FoundCandles> {
    const signal = this.#signalOf(o)
    const { listing } = await this.#open()
    for await (const series of seriesWanted(listing, wanted, signal)) {
      const found = await reachOf(listing, series, wanted.range, signal)
      if (found) yield found
      else if ('names' in wanted.symbols && wanted.intervals !== null) o.onMissing(series)
    }
  }

  async close(): Promise<void> {
    this.#closed.abort(new PipelineError('INTERRUPTED', 'the archive was closed'))
    await (await this.#opened?.catch(() => null))?.close()
  }

  async *#read(
    reads: readonly ArchiveRead[], archive: Archive,
    o: { numericType: NumericType; signal: AbortSignal; onProgress: Call['onProgress'] },
  ): AsyncGenerator<ReadMonth> {
    const folder = await temporaryFolder()
    const files = reads.flatMap(({ sources }) => sources)
    const [total, bytesTotal] = [files.length, bytesOf(files)]
    let [begun, done, bytes] = [0, 0, 0]
    const tell = (): void => o.onProgress?.({ stage: 'download', done, total, bytes, bytesTotal })
    const onBytes = (count: number): void => {
      bytes += count
      tell()
    }
    const start = async (wanted: WantedSource, signal: AbortSignal): Promise<Fetched> => {
      const request = { wanted, path: join(folder, String(begun++)), signal, onBytes }
      const fetched = await mend({ work: () => archive.fetch(request), waitMs: WAIT, signal })
      done++
      tell()
      return fetched
    }
    const memory = new RowMemory()
    const fetched = readAhead(files, { limit: FILES_AHEAD, signal: o.signal, start })
    try {
      for (const [index, read] of reads.entries()) {
        const sources: Fetched[] = []
        while (sources.length < read.sources.length) sources.push((await fetched.next()).value as Fetched)
        yield await judged(read, sources, o.numericType, memory)
        o.signal.throwIfAborted()
        await Promise.all(sources.map(({ path }) => rm(path, { force: true })))
        o.onProgress?.({ stage: 'read', done: index + 1, total: reads.length, bytes })
      }
    } finally {
      await fetched.return(undefined)
      await rm(folder, { recursive: true, force: true })
    }
  }

  #signalOf({ signal }: Call): AbortSignal {
    return signal ? AbortSignal.any([signal, this.#closed.signal]) : this.#closed.signal
  }

  async #open(): Promise<Opened> {
    this.#closed.signal.throwIfAborted()
    this.#opened ??= this.#settings().then((settings) => {
      const [archive, listing] = [openArchive(settings), openArchiveListing(settings)]
      return { archive, listing, close: async () => void (await Promise.all([archive.close(), listing.close()])) }
    })
    return await this.#opened
  }
}

/** A file that was cut off or replaced in the middle is another one at the next try. */
const WAIT = patience(['ARCHIVE_UNREACHABLE', 'ARCHIVE_BUSY', 'SOURCE_TRUNCATED', 'SOURCE_CHANGED'])

async function judged(
  { partition, range }: ArchiveRead, sources: readonly Fetched[], numericType: NumericType, memory: RowMemory,
): Promise<ReadMonth> {
  const read = await readPartition({ partition, sources, numericType }, memory)
  const crowded = crowdedBy(read.rows.count, gridPointsIn(partition.interval, monthRange(partition.month)).count)
  if (crowded > 0) {
    const source = sources.map((one) => one.source.key).join(', ')
    throw corrupt('CROWDED_ROWS', `${crowded} rows more than the month has room for`, { source, row: null })
  }
  return { ...read, partition, range }
}

async function temporaryFolder(): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), 'candlelake-read-'))
  } catch (thrown) {
    throw diskFull(thrown, tmpdir()) ?? thrown
  }
}

const seriesOf = (s: Series): Series => ({
  dataset: parseDataset(s.dataset), symbol: parseSymbol(s.symbol), interval: parseInterval(s.interval),
})

function sliceFor(at: Partition | Slice): Slice {
  const { fromUs, toUs } = 'month' in at ? monthRange(at.month) : at
  return sliceOf(seriesOf(at), fromUs, toUs)
}

function named(text: string | undefined, what: string): string {
  if (text !== undefined) return text
  throw new PipelineError('BAD_USAGE', `no ${what} was named`, { do: `give a ${what}` })
}

const absent = (at: Partition | Slice): PipelineError =>
  new PipelineError('ARCHIVE_ABSENT', 'the archive has no file of it', {
    at: 'month' in at ? partitionKeyOf(at) : seriesKeyOf(at),
    do: 'list what there is: symbols, intervals, months',
  })
