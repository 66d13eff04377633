import { filesPrefixOf, intervalsPrefixOf, parseArchiveKey, symbolsPrefixOf } from '../domain/archive-names.js'
import { marketOf, type Dataset, type Market } from '../domain/dataset.js'
import { asPipelineError, PipelineError } from '../domain/errors.js'
import { INTERVALS, type Interval } from '../domain/interval.js'
import { monthRange, monthsFromTo, US_PER_MS, type Month } from '../domain/month.js'
import type { Series } from '../domain/partition.js'
import type { WantedPartition } from '../domain/plan.js'
import type { ArchiveListing } from '../domain/ports/archive.js'
import type { Log } from '../domain/ports/observe.js'
import type { WantedSource } from '../domain/source.js'
import { parseSymbol } from '../domain/symbol.js'

/** Symbols by name, or every symbol of the listing that a test accepts. Upper case. */
export type SymbolChoice =
  | { readonly names: readonly string[] }
  | { readonly matching: (symbol: string) => boolean }

/** What a backfill asks for. Months are inclusive at both ends; `firstMonth` null is the series' own first. */
export type BackfillRequest = {
  readonly dataset: Dataset
  readonly symbols: SymbolChoice
  /** Null: every interval that the archive has for a symbol. */
  readonly intervals: readonly Interval[] | null
  readonly firstMonth: Month | null
  readonly lastMonth: Month
}

export type WantedPorts = {
  readonly listing: ArchiveListing
  readonly log: Log
  readonly now: () => Date
  readonly lateDays: number
  /** The archive was listed and has no file of this series: a name that was mistyped, or an interval it never had. */
  readonly onUnlisted: (series: Series) => void
}

/** First months that markets have files for: where synthesised plans begin when nothing says otherwise. */
const MARKET_START: Readonly<Record<Market, Month>> = { spot: '2017-07', um: '2019-09', cm: '2020-08' }
const DAY_MS = 86_400_000
/** Series listed at the same time. Each is one or two requests; the archive documents no limit, others run 20 to 100. */
const LISTED_AT_ONCE = 8

/**
 * Every partition of a request, series by series, with the listing's word on its source. Months come from the listing;
 * unlisted ones are added where they tell something: holes between the first and the last listed month, and months that
 * the archive may still publish. Where the listing cannot be reached, months of named symbols are synthesised.
 * @throws {ARCHIVE_UNREACHABLE} when symbols or intervals can only come from the listing
 */
export async function* wantedPartitions(
  request: BackfillRequest, ports: WantedPorts, signal?: AbortSignal,
): AsyncGenerator<WantedPartition> {
  const pending: Promise<readonly WantedPartition[]>[] = []
  const archive = { reachable: true }
  for await (const series of seriesOf(request, ports, signal)) {
    const listed = monthsOf(series, request, ports, archive, signal)
    listed.catch(() => undefined) // awaited in order below; a later one may fail before that
    pending.push(listed)
    if (pending.length >= LISTED_AT_ONCE) yield* await (pending.shift() ?? [])
  }
  for (const rest of pending) yield* await rest
}

async function* seriesOf(request: BackfillRequest, ports: WantedPorts, signal?: AbortSignal): AsyncGenerator<Series> {
  const { dataset, symbols, intervals } = request
  for await (const symbol of symbolsOf(request, ports, signal)) {
    if (intervals) {
      for (const interval of intervals) yield { dataset, symbol, interval }
      continue
    }
    for await (const name of ports.listing.folders(intervalsPrefixOf({ dataset, symbol }), signal)) {
      if (isInterval(name)) yield { dataset, symbol, interval: name }
      else ports.log.warn('plan.unknown_interval', { symbol, name, named: 'names' in symbols })
    }
  }
}

async function* symbolsOf(request: BackfillRequest, ports: WantedPorts, signal?: AbortSignal): AsyncGenerator<string> {
  if ('names' in request.symbols) {
    yield* request.symbols.names
    return
  }
  for await (const name of ports.listing.folders(symbolsPrefixOf(request.dataset), signal)) {
    const symbol = symbolOrNull(name)
    if (symbol === null) ports.log.warn('plan.unusable_symbol', { name })
    else if (request.symbols.matching(symbol)) yield symbol
  }
}

/** Once one series could not be listed, the others of named symbols are not asked for: each would wait as long. */
async function monthsOf(
  series: Series, request: BackfillRequest, ports: WantedPorts, archive: { reachable: boolean }, signal?: AbortSignal,
): Promise<readonly WantedPartition[]> {
  if (!archive.reachable) return synthesised(series, request)
  try {
    const months = await listed(series, ports, signal)
    if (months.size === 0) ports.onUnlisted(series)
    return fromListing(series, request, months, ports)
  } catch (thrown) {
    const error = asPipelineError(thrown)
    if (error.code !== 'ARCHIVE_UNREACHABLE' || !('names' in request.symbols)) throw thrown
    archive.reachable = false
    ports.log.warn('plan.listing_unreachable', { series: `${series.symbol}/${series.interval}`, why: error.message })
    return synthesised(series, request)
  }
}

async function listed(series: Series, ports: WantedPorts, signal?: AbortSignal): Promise<Map<Month, WantedSource>> {
  const months = new Map<Month, WantedSource>()
  for await (const source of ports.listing.files(filesPrefixOf(series), signal)) {
    const file = parseArchiveKey(source.key)
    if (!file || file.day !== null) {
      ports.log.warn('plan.unknown_key', { key: source.key })
      continue
    }
    months.set(file.month, source)
  }
  return months
}

function fromListing(
  series: Series, request: BackfillRequest, months: ReadonlyMap<Month, WantedSource>, ports: WantedPorts,
): WantedPartition[] {
  const names = [...months.keys()].sort()
  const [firstMonth, lastMonth] = [names[0], names.at(-1)]
  if (firstMonth === undefined || lastMonth === undefined) return []
  const bounds = { firstMonth, lastMonth }
  const from = request.firstMonth !== null && request.firstMonth > firstMonth ? request.firstMonth : firstMonth
  const wanted: WantedPartition[] = []
  for (const month of monthsFromTo(from, request.lastMonth)) {
    const source = months.get(month)
    if (!source && month > lastMonth && !mayStillCome(month, ports)) break
    wanted.push({ partition: { ...series, month }, sources: source ? [source] : [], bounds })
  }
  return wanted
}

function mayStillCome(month: Month, ports: WantedPorts): boolean {
  const endMs = Number(monthRange(month).toUs / US_PER_MS)
  return ports.now().getTime() <= endMs + ports.lateDays * DAY_MS
}

function synthesised(series: Series, request: BackfillRequest): WantedPartition[] {
  const from = request.firstMonth ?? MARKET_START[marketOf(series.dataset)]
  return [...monthsFromTo(from, request.lastMonth)].map((month) => ({
    partition: { ...series, month },
    sources: [],
    bounds: null,
  }))
}

function isInterval(name: string): name is Interval {
  return (INTERVALS as readonly string[]).includes(name)
}

function symbolOrNull(name: string): string | null {
  try {
    return parseSymbol(name) === name ? name : null
  } catch (thrown) {
    if (thrown instanceof PipelineError) return null
    throw thrown
  }
}
