/** What is done with a partition that has this finding. */
export type Decision = 'accept' | 'flag' | 'quarantine'

/**
 * Everything that convert and verify can find, and what follows: the one verdict table. `accept` is normal for this
 * archive, `flag` is accepted and shown, `quarantine` keeps the partition out of the lake. Wrong rows in the lake are the
 * worse mistake where a value cannot be true; a missing month is the worse one where the exchange itself wrote it so.
 */
export const VERDICTS = {
  // form of the file
  HEADER_PRESENT: 'accept',
  HEADER_UNUSUAL: 'flag',
  BYTE_ORDER_MARK: 'accept',
  CARRIAGE_RETURNS: 'accept',
  SPACES_AROUND_VALUES: 'accept',
  EXPONENT_NOTATION: 'accept',
  MIXED_TIME_UNITS: 'flag',
  CHECKSUM_MISSING: 'flag',
  CHECKSUM_MISMATCH_CONTENT_OK: 'flag',
  MEMBER_NAME_UNUSUAL: 'flag',
  IDENTICAL_MEMBERS: 'flag',
  // rows
  ROWS_OUT_OF_ORDER: 'flag',
  DUPLICATE_ROWS: 'flag',
  CONFLICTING_ROWS: 'quarantine',
  ROW_MALFORMED: 'quarantine',
  VALUE_MISSING: 'quarantine',
  VALUE_NOT_A_NUMBER: 'quarantine',
  VALUE_NOT_FINITE: 'quarantine',
  VALUE_OUT_OF_RANGE: 'quarantine',
  DECIMALS_EXCEEDED: 'quarantine',
  PRICE_NOT_POSITIVE: 'quarantine',
  VOLUME_NEGATIVE: 'quarantine',
  TAKER_ABOVE_TOTAL: 'quarantine',
  TIME_IMPLAUSIBLE: 'quarantine',
  ROW_OUTSIDE_PARTITION: 'quarantine',
  NO_ROWS: 'quarantine',
  // what the bars say together
  OHLC_VIOLATION: 'flag',
  CLOSE_BEFORE_OPEN: 'flag',
  OFF_GRID_ROWS: 'flag',
  CROWDED_ROWS: 'quarantine',
  OVERLAPPING_ROWS: 'flag',
  GAP_OUTAGE: 'accept',
  GAP_BEFORE_LISTING: 'accept',
  GAP_AFTER_DELISTING: 'accept',
  GAP_ARCHIVE_HOLE: 'flag',
  GAP_UNKNOWN: 'flag',
  ZERO_VOLUME_ROWS: 'accept',
  INEXACT_VALUES: 'accept',
  LAST_BAR_OPEN: 'accept',
} as const satisfies Record<string, Decision>

export type FindingCode = keyof typeof VERDICTS

/** One kind of finding in one partition: how many rows or values, and the first one as an example. */
export type Finding = {
  readonly code: FindingCode
  readonly count: number
  /** The first instance in words, e.g. `row 8112: volume -3`; control characters escaped, at most 200 characters. */
  readonly example: string | null
}

export const decisionOf = (code: FindingCode): Decision => VERDICTS[code]

/** The harshest decision over all findings; `accept` when there are none. */
export function verdictOf(findings: readonly Finding[]): Decision {
  const decisions = findings.map((finding) => decisionOf(finding.code))
  return decisions.includes('quarantine') ? 'quarantine' : decisions.includes('flag') ? 'flag' : 'accept'
}
