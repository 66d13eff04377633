import { createHash } from 'node:crypto'
import { SCHEMA_VERSION, type NumericType } from './candle.js'
import type { Certificate, CertifiedData, CertifiedOrigin, Gap, GapClass } from './certificate.js'
import type { InspectFigures } from './figures.js'
import type { Finding, FindingCode } from './findings.js'
import { gapsOf } from './gaps.js'
import { isHotKey } from './hot-source.js'
import { floorToGrid, gridOf, gridOfBars, gridPointsIn, nextOnGrid, type Grid } from './interval.js'
import { canonicalJson } from './json.js'
import { monthRange, US_PER_DAY, US_PER_MS } from './month.js'
import { OUTAGE_CALENDAR_VERSION } from './outages.js'
import { partitionKeyOf, type Partition } from './partition.js'
import { certifiedChecksum, type Source } from './source.js'
import type { Converted, SeriesBounds } from './work.js'

export type CertifyInput = {
  readonly partition: Partition
  readonly generation: number
  readonly numericType: NumericType
  readonly sources: readonly Source[]
  readonly bounds: SeriesBounds
  readonly converted: Converted
  readonly inspected: InspectFigures
  readonly lateDays: number
  readonly now: Date
}

/** The completeness statement of a partition from what convert and verify measured. Pure. */
export function certify(o: CertifyInput): Certificate {
  const data = certifiedData(o)
  const bars = { fromUs: o.inspected.firstOpenUs, toUs: o.inspected.lastOpenUs }
  const context = { bounds: o.bounds, seriesOver: isSeriesOver(o), grid: gridOfInput(o) }
  const gaps = gapsOf(o.partition, bars, o.inspected.holes, context)
  const open = lastBarOpen(o, gaps)
  const findings = [
    ...o.converted.figures.findings, ...barFindings(o.inspected), ...crowded(data), ...gapFindings(gaps), ...open,
  ]
  return {
    v: 1,
    data,
    dataHash: dataHashOf(data),
    gaps,
    findings,
    // What hot rows make is good until the archive's own month comes.
    verdict: open.length > 0 || o.sources.some(({ key }) => isHotKey(key)) ? 'provisional' : 'verified',
    checksums: o.sources.map((s) => ({ key: s.key, outcome: certifiedChecksum(s.checksum), claimed: s.checksumHex })),
    origin: originOf(o),
    calendarVersion: OUTAGE_CALENDAR_VERSION,
    generation: o.generation,
    issuedAt: o.now.toISOString(),
  }
}

/** SHA-256, hex, over the JSON text of a certificate's deterministic part with sorted names. */
export const dataHashOf = (data: CertifiedData): string => createHash('sha256').update(canonicalJson(data)).digest('hex')

const originOf = ({ bounds, sources }: CertifyInput): CertifiedOrigin =>
  ({ bounds, sources: sources.map(({ key, etag, lastModified, range }) => ({ key, etag, lastModified, ...range })) })

function certifiedData(o: CertifyInput): CertifiedData {
  const { figures, revision } = o.converted
  const { inspected } = o
  const expectedRows = gridPointsIn(gridOfInput(o), monthRange(o.partition.month)).count
  return {
    partition: partitionKeyOf(o.partition),
    revision,
    schemaVersion: SCHEMA_VERSION,
    numericType: o.numericType,
    dataSha256: inspected.sha256Hex,
    dataBytes: inspected.bytes,
    logicalHash: inspected.logicalHash,
    rows: inspected.rows,
    sourceRows: figures.sourceRows,
    duplicatesDropped: figures.duplicatesDropped,
    firstOpenUs: inspected.firstOpenUs,
    lastOpenUs: inspected.lastOpenUs,
    lastCloseUs: inspected.lastCloseUs,
    expectedRows,
    missingRows: missingRows(o, expectedRows),
    offGridRows: inspected.offGridRows,
    overlappingRows: inspected.overlappingRows,
    closeBeforeOpenRows: inspected.closeBeforeOpenRows,
    ohlcViolations: inspected.ohlcViolations,
    zeroVolumeRows: inspected.zeroVolumeRows,
    inexactValues: figures.inexactValues,
    sources: o.sources.map((s) => ({ key: s.key, bytes: s.bytes, sha256: s.sha256Hex })),
  }
}

const gridOfInput = ({ partition, inspected }: CertifyInput): Grid =>
  gridOfBars(partition.interval, inspected.firstOpenUs, inspected.offGridRows)

/** Slots of the month without a bar: those between the first and the last bar, and those before and after. */
function missingRows(o: CertifyInput, expectedRows: number): number {
  const grid = gridOfInput(o)
  const fromUs = floorToGrid(grid, o.inspected.firstOpenUs)
  const toUs = nextOnGrid(grid, floorToGrid(grid, o.inspected.lastOpenUs))
  const range = monthRange(o.partition.month)
  const inside = gridPointsIn(grid, { fromUs: fromUs < range.fromUs ? range.fromUs : fromUs, toUs }).count
  return Math.max(0, expectedRows - inside) + o.inspected.missingRows
}

function barFindings(i: InspectFigures): Finding[] {
  return counted([
    ['OFF_GRID_ROWS', i.offGridRows],
    ['OVERLAPPING_ROWS', i.overlappingRows],
    ['CLOSE_BEFORE_OPEN', i.closeBeforeOpenRows],
    ['OHLC_VIOLATION', i.ohlcViolations],
    ['ZERO_VOLUME_ROWS', i.zeroVolumeRows],
  ])
}

/**
 * How many bars a month has more than it has room for; 0 where that proves nothing. A file of a finer interval under this
 * partition's name has many bars in every slot. Real files have one more than there are slots where bars off the grid meet
 * those on it (spot 2018-02), so a handful is let pass.
 */
export function crowdedBy(rows: number, expectedRows: number): number {
  const tolerated = Math.max(3, Math.floor(expectedRows / 100))
  return rows > expectedRows + tolerated ? rows - expectedRows : 0
}

const GAP_FINDING: Readonly<Record<GapClass, FindingCode>> = {
  outage: 'GAP_OUTAGE',
  before_listing: 'GAP_BEFORE_LISTING',
  after_delisting: 'GAP_AFTER_DELISTING',
  archive_hole: 'GAP_ARCHIVE_HOLE',
  unknown: 'GAP_UNKNOWN',
}

const crowded = ({ rows, expectedRows }: CertifiedData): Finding[] =>
  counted([['CROWDED_ROWS', crowdedBy(rows, expectedRows)]])

function gapFindings(gaps: readonly Gap[]): Finding[] {
  const bars = new Map<FindingCode, number>()
  for (const gap of gaps) {
    const code = GAP_FINDING[gap.class]
    bars.set(code, (bars.get(code) ?? 0) + gap.missing)
  }
  return counted([...bars])
}

const counted = (pairs: readonly (readonly [FindingCode, number])[]): Finding[] =>
  pairs.filter(([, count]) => count > 0).map(([code, count]) => ({ code, count, example: null }))

/** A series is over when its last listed month ended more than `lateDays` ago: a next month would be there by now. */
function isSeriesOver(o: CertifyInput): boolean {
  if (o.bounds?.lastMonth !== o.partition.month) return false
  const endMs = Number(monthRange(o.partition.month).toUs / US_PER_MS)
  return o.now.getTime() > endMs + o.lateDays * 86_400_000
}

/**
 * A partition is provisional when its last bar had not closed when the archive wrote the file, or when it is one of the
 * coarse intervals and lacks its last bar: weeks that end in the next month are missing from files made on the 1st.
 */
function lastBarOpen(o: CertifyInput, gaps: readonly Gap[]): Finding[] {
  const { interval, month } = o.partition
  const { stepUs } = gridOf(interval)
  const last = gaps.at(-1)
  const coarse = stepUs === null || stepUs > US_PER_DAY
  const lacksLast = coarse && last?.toUs === monthRange(month).toUs && last.class === 'unknown'
  const grid = gridOfInput(o)
  const closesUs = nextOnGrid(grid, floorToGrid(grid, o.inspected.lastOpenUs))
  const writtenUs = BigInt(Math.max(...o.sources.map((s) => writtenMs(s, o.now)))) * US_PER_MS
  return lacksLast || closesUs > writtenUs ? [{ code: 'LAST_BAR_OPEN', count: 1, example: null }] : []
}

const writtenMs = (source: Source, now: Date): number => {
  const at = source.lastModified === null ? NaN : Date.parse(source.lastModified)
  return Number.isNaN(at) ? now.getTime() : at
}
