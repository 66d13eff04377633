import {
  dailyKeyOf, filesPrefixOf, intervalsPrefixOf, parseArchiveKey, symbolsPrefixOf, type Period,
} from '../../domain/archive-names.js'
import { daysToLookUp, planReads, type ArchiveRead } from '../../domain/archive-reads.js'
import { PipelineError } from '../../domain/errors.js'
import { INTERVALS, type Interval } from '../../domain/interval.js'
import { monthOfMs, monthRange, type Month } from '../../domain/month.js'
import type { Series } from '../../domain/partition.js'
import type { ArchiveListing } from '../../domain/ports/archive.js'
import type { FoundCandles, WantedCandles } from '../../domain/ports/candle-source.js'
import type { OpenRange } from '../../domain/range.js'
import { sliceOf, type Slice } from '../../domain/slice.js'
import type { WantedSource } from '../../domain/source.js'
import { parseSymbol } from '../../domain/symbol.js'

/** Days that are asked for one by one; more are cheaper to list: 1,000 keys a page. */
const ASKED_DAYS_MAX = 7
const PERIODS: readonly Period[] = ['monthly', 'daily']

/** The months' ZIPs of a series, in order of the months. */
export async function monthlyFiles(
  listing: ArchiveListing, series: Series, signal: AbortSignal,
): Promise<Map<Month, WantedSource>> {
  const found = new Map<Month, WantedSource>()
  for await (const source of listing.files(filesPrefixOf(series), signal)) {
    const file = parseArchiveKey(source.key)
    if (file?.day === null) found.set(file.month, source)
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Which archive files a slice is read from. */
export async function readsOf(listing: ArchiveListing, at: Slice, signal: AbortSignal): Promise<ArchiveRead[]> {
  const monthly = await monthlyFiles(listing, at, signal)
  const daily = await dailyFiles(listing, at, daysToLookUp(at, monthly), signal)
  return planReads(at, monthly, daily)
}

/**
 * What the archive has of a series in a range: the range with its ends, an open one being the first or last month with
 * a file, and the months that have files. Null for nothing.
 */
export async function reachOf(
  listing: ArchiveListing, series: Series, range: OpenRange, signal: AbortSignal,
): Promise<FoundCandles | null> {
  const monthly = await monthlyFiles(listing, series, signal)
  const months = [...monthly.keys()]
  const fromUs = range.fromUs ?? (months[0] === undefined ? null : monthRange(months[0]).fromUs)
  const last = range.toUs === null ? months.at(-1) : monthOfMs(Date.now())
  const toUs = last === undefined ? null : least(range.toUs, monthRange(last).toUs)
  if (fromUs === null || toUs === null || fromUs >= toUs) return null
  const at = sliceOf(series, fromUs, toUs)
  const daily = await dailyFiles(listing, series, daysToLookUp(at, monthly), signal)
  const found = planReads(at, monthly, daily).map(({ partition }) => partition.month)
  return found.length === 0 ? null : { at, months: found }
}

const least = (a: bigint | null, b: bigint): bigint => (a === null || b < a ? b : a)

async function dailyFiles(
  listing: ArchiveListing, series: Series, days: readonly string[], signal: AbortSignal,
): Promise<Map<string, WantedSource>> {
  if (days.length <= ASKED_DAYS_MAX) {
    const found = await Promise.all(days.map((day) => listing.find(dailyKeyOf(series, day), signal)))
    return new Map(found.flatMap((source, i) => (source ? [[days[i] ?? '', source] as const] : [])))
  }
  const found = new Map<string, WantedSource>()
  for await (const source of listing.files(filesPrefixOf(series, 'daily'), signal)) {
    const day = parseArchiveKey(source.key)?.day
    if (day) found.set(day, source)
  }
  return found
}

/** Every symbol with monthly or daily files, delisted ones too, in the order of their names. */
export async function* symbolsListed(
  listing: ArchiveListing, dataset: Series['dataset'], signal: AbortSignal,
): AsyncGenerator<string> {
  const [monthly, daily] = PERIODS.map((period) => listing.folders(symbolsPrefixOf(dataset, period), signal))
  for await (const name of merged(monthly!, daily!)) if (isSymbol(name)) yield name
}

/** The intervals with monthly or daily files, the shortest first. */
export async function intervalsListed(
  listing: ArchiveListing, at: Pick<Series, 'dataset' | 'symbol'>, signal: AbortSignal,
): Promise<Interval[]> {
  const names = new Set<string>()
  for (const period of PERIODS) {
    for await (const name of listing.folders(intervalsPrefixOf(at, period), signal)) names.add(name)
  }
  return INTERVALS.filter((interval) => names.has(interval))
}

/** Every series that is asked for: named ones whether they are there or not. */
export async function* seriesWanted(
  listing: ArchiveListing, { dataset, symbols, intervals }: WantedCandles, signal: AbortSignal,
): AsyncGenerator<Series> {
  const names = 'names' in symbols ? symbols.names : symbolsListed(listing, dataset, signal)
  for await (const symbol of names) {
    if ('matching' in symbols && !symbols.matching(symbol)) continue
    for (const interval of intervals ?? (await intervalsListed(listing, { dataset, symbol }, signal))) {
      yield { dataset, symbol, interval }
    }
  }
}

/** Two listings as one, each name once; both come in the order of their UTF-8 bytes. */
async function* merged(a: AsyncIterable<string>, b: AsyncIterable<string>): AsyncGenerator<string> {
  const [left, right] = [a[Symbol.asyncIterator](), b[Symbol.asyncIterator]()]
  try {
    let [one, other] = await Promise.all([left.next(), right.next()])
    while (!one.done || !other.done) {
      const order = one.done ? 1 : other.done ? -1 : Buffer.compare(Buffer.from(one.value), Buffer.from(other.value))
      yield order <= 0 ? (one.value as string) : (other.value as string)
      if (order <= 0) one = await left.next()
      if (order >= 0) other = await right.next()
    }
  } finally {
    await Promise.all([left.return?.(), right.return?.()])
  }
}

function isSymbol(name: string): boolean {
  try {
    return parseSymbol(name) === name
  } catch (thrown) {
    if (thrown instanceof PipelineError) return false
    throw thrown
  }
}
