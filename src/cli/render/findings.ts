import { decisionOf, type Finding, type FindingCode } from '../../domain/findings.js'
import { formatCount, plural } from './format.js'
import type { Paint } from './paint.js'
import { escapeControls } from './escape.js'
import { clipMiddle, cellsOf, clipEnd } from './text.js'

/** What people call a finding: one of them, many of them. */
const WORDS: Readonly<Record<FindingCode, readonly [one: string, many: string]>> = {
  HEADER_PRESENT: ['header line', 'header lines'],
  HEADER_UNUSUAL: ['unusual header', 'unusual headers'],
  BYTE_ORDER_MARK: ['byte order mark', 'byte order marks'],
  CARRIAGE_RETURNS: ['carriage return', 'carriage returns'],
  SPACES_AROUND_VALUES: ['value with spaces', 'values with spaces'],
  EXPONENT_NOTATION: ['value with an exponent', 'values with an exponent'],
  MIXED_TIME_UNITS: ['row in another time unit', 'rows in another time unit'],
  CHECKSUM_MISSING: ['missing CHECKSUM', 'missing CHECKSUMs'],
  CHECKSUM_MISMATCH_CONTENT_OK: ['stale CHECKSUM', 'stale CHECKSUMs'],
  MEMBER_NAME_UNUSUAL: ['unusual name in the ZIP', 'unusual names in the ZIP'],
  IDENTICAL_MEMBERS: ['file twice in the ZIP', 'files twice in the ZIP'],
  ROWS_OUT_OF_ORDER: ['row out of order', 'rows out of order'],
  DUPLICATE_ROWS: ['duplicate row', 'duplicate rows'],
  CONFLICTING_ROWS: ['conflicting row', 'conflicting rows'],
  ROW_MALFORMED: ['malformed row', 'malformed rows'],
  VALUE_MISSING: ['missing value', 'missing values'],
  VALUE_NOT_A_NUMBER: ['value that is no number', 'values that are no numbers'],
  VALUE_NOT_FINITE: ['value that is not finite', 'values that are not finite'],
  VALUE_OUT_OF_RANGE: ['value out of range', 'values out of range'],
  DECIMALS_EXCEEDED: ['value with too many decimals', 'values with too many decimals'],
  PRICE_NOT_POSITIVE: ['price that is not positive', 'prices that are not positive'],
  VOLUME_NEGATIVE: ['negative volume', 'negative volumes'],
  TAKER_ABOVE_TOTAL: ['taker volume above the total', 'taker volumes above the total'],
  TIME_IMPLAUSIBLE: ['implausible time', 'implausible times'],
  ROW_OUTSIDE_PARTITION: ['row of another month', 'rows of another month'],
  NO_ROWS: ['file without rows', 'files without rows'],
  OHLC_VIOLATION: ['bar with a price outside its low and high', 'bars with a price outside their low and high'],
  CLOSE_BEFORE_OPEN: ['bar that closes before it opens', 'bars that close before they open'],
  CROWDED_ROWS: ['bar more than the month has room for', 'bars more than the month has room for'],
  OFF_GRID_ROWS: ['off-grid row', 'off-grid rows'],
  OVERLAPPING_ROWS: ['overlapping row', 'overlapping rows'],
  GAP_OUTAGE: ['bar missing in a known outage', 'bars missing in known outages'],
  GAP_BEFORE_LISTING: ['bar missing before the listing', 'bars missing before the listing'],
  GAP_AFTER_DELISTING: ['bar missing after the delisting', 'bars missing after the delisting'],
  GAP_ARCHIVE_HOLE: ['bar missing in a hole of the archive', 'bars missing in holes of the archive'],
  GAP_UNKNOWN: ['missing bar of unknown cause', 'missing bars of unknown cause'],
  ZERO_VOLUME_ROWS: ['row without volume', 'rows without volume'],
  INEXACT_VALUES: ['value that no double holds', 'values that no double holds'],
  LAST_BAR_OPEN: ['bar that is not over', 'bars that are not over'],
}

/** `43 off-grid rows`. */
export const inWords = ({ code, count }: Pick<Finding, 'code' | 'count'>): string =>
  `${formatCount(count)} ${WORDS[code][count === 1 ? 0 : 1]}`

/** `3 partitions with off-grid rows`: what a run found, by kind. */
export const kindsInWords = (partitions: ReadonlyMap<FindingCode, number>): string =>
  [...partitions].map(([code, n]) => `${plural(n, 'partition')} with ${WORDS[code][1]}`).join(', ')

/** What a partition that came to its end has to tell, or null: `43 off-grid rows, accepted`. */
export function tale(o: {
  readonly state: string
  readonly findings: readonly Finding[]
  readonly code: string | null
  readonly message: string | null
}): string | null {
  if (o.state === 'quarantined' || o.state === 'failed')
    return `${o.state}: ${o.code ?? ''} ${o.message ?? ''}`.trimEnd()
  const flagged = o.findings.filter(({ code }) => decisionOf(code) === 'flag')
  return flagged.length === 0 ? null : `${flagged.map(inWords).join(', ')}, accepted`
}

/** `! spot-klines/BTCUSDT/1h/2018-02  43 off-grid rows, accepted`; `width` null where nothing may be cut. */
export function renderFinding(o: {
  partition: string
  text: string
  bad: boolean
  width: number | null
  paint: Paint
}): string {
  const mark = o.bad ? o.paint.red('x') : o.paint.yellow('!')
  const [name, text] = [escapeControls(o.partition), escapeControls(o.text)]
  const room = o.width === null ? null : o.width - 2
  if (room === null || cellsOf(name) + 2 + cellsOf(text) <= room) return `${mark} ${name}  ${text}`
  const short = clipMiddle(name, Math.max(12, room - 2 - cellsOf(text)))
  return `${mark} ${clipEnd(`${short}  ${text}`, room)}`
}
