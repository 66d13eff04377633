import { createHash } from 'node:crypto'
import type { ArchiveKey } from './archive-names.js'
import { SCHEMA_VERSION, type NumericType } from './candle.js'
import type { TimeRange } from './month.js'

/**
 * What the CHECKSUM side file said of a source. A mismatch is often a stale side file, so whether the content is good
 * is decided by convert: `mismatch` becomes the finding `CHECKSUM_MISMATCH_CONTENT_OK`, or the partition is quarantined.
 */
export type ChecksumOutcome = 'ok' | 'missing' | 'mismatch'

/** A source as a listing names it, before it was downloaded. Unknown fields are null. */
export type WantedSource = {
  readonly key: ArchiveKey
  readonly bytes: number | null
  readonly etag: string | null
  readonly lastModified: string | null
}

/** One archive file that a partition is made of, as it was downloaded. `bytes` and `sha256Hex` are of the ZIP. */
export type Source = {
  readonly key: ArchiveKey
  readonly etag: string | null
  /** ISO 8601, as the archive's Last-Modified. */
  readonly lastModified: string | null
  readonly bytes: number
  readonly sha256Hex: string
  readonly checksum: ChecksumOutcome
  /** What the side file claimed; null where it is missing. */
  readonly checksumHex: string | null
  readonly range: TimeRange
}

/** The four outcomes of a checksum as certificates state them. */
export type CertifiedChecksum = 'ok' | 'checksum_missing' | 'checksum_mismatch_content_ok'

export const certifiedChecksum = (outcome: ChecksumOutcome): CertifiedChecksum =>
  outcome === 'ok' ? 'ok' : outcome === 'missing' ? 'checksum_missing' : 'checksum_mismatch_content_ok'

/** The inverse of `certifiedChecksum`. */
export const checksumOutcomeOf = (certified: CertifiedChecksum): ChecksumOutcome =>
  certified === 'ok' ? 'ok' : certified === 'checksum_missing' ? 'missing' : 'mismatch'

/** Names what the data is: SHA-256, hex, over the sources' digests in order, the schema version and the numeric type. */
export function revisionOf(sources: readonly Pick<Source, 'sha256Hex'>[], numericType: NumericType): string {
  const hash = createHash('sha256').update(`candlelake ${SCHEMA_VERSION} ${numericType}\n`)
  for (const source of sources) hash.update(`${source.sha256Hex}\n`)
  return hash.digest('hex')
}
