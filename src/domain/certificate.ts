import type { Finding } from './findings.js'
import type { Hole } from './figures.js'
import type { CertifiedChecksum } from './source.js'
import type { SeriesBounds } from './work.js'

export const GAP_CLASSES = ['outage', 'before_listing', 'after_delisting', 'archive_hole', 'unknown'] as const
/** Why bars are missing: a known exchange outage, the series' life, a hole in the archive's file, or nobody knows. */
export type GapClass = (typeof GAP_CLASSES)[number]

/** A hole with its reason. `calendar` is the id of the outage that covers it. */
export type Gap = Hole & { readonly class: GapClass; readonly calendar: string | null }

/** What follows from the source bytes alone: the same sources give the same text. */
export type CertifiedData = {
  readonly partition: string
  readonly revision: string
  readonly schemaVersion: number
  readonly numericType: string
  readonly dataSha256: string
  readonly dataBytes: number
  readonly logicalHash: string
  readonly rows: number
  readonly sourceRows: number
  readonly duplicatesDropped: number
  readonly firstOpenUs: bigint
  readonly lastOpenUs: bigint
  readonly lastCloseUs: bigint
  /** Bars that the interval's grid has room for in this month. */
  readonly expectedRows: number
  readonly missingRows: number
  readonly offGridRows: number
  readonly overlappingRows: number
  readonly closeBeforeOpenRows: number
  readonly ohlcViolations: number
  readonly zeroVolumeRows: number
  readonly inexactValues: number
  readonly sources: readonly { readonly key: string; readonly bytes: number; readonly sha256: string }[]
}

/**
 * What the archive said of the sources when they were fetched, and of the series when it was listed: what a catalog
 * needs to tell a source that was published anew. `[fromUs, toUs)` is the range that a source covers.
 */
export type CertifiedOrigin = {
  readonly bounds: SeriesBounds
  readonly sources: readonly {
    readonly key: string; readonly etag: string | null; readonly lastModified: string | null
    readonly fromUs: bigint; readonly toUs: bigint
  }[]
}

/** The stored completeness statement of a partition: its deterministic part, its hash, and what was seen when. */
export type Certificate = {
  readonly v: 1
  readonly data: CertifiedData
  /** SHA-256, hex, over the JSON text of `data` with sorted names. */
  readonly dataHash: string
  /** Holes with their reasons: these follow from the outage calendar and the listing as well as from the source. */
  readonly gaps: readonly Gap[]
  readonly findings: readonly Finding[]
  readonly verdict: 'verified' | 'provisional'
  readonly checksums: readonly { readonly key: string; readonly outcome: CertifiedChecksum; readonly claimed: string | null }[]
  /** Left out in the certificates of earlier programs. */
  readonly origin?: CertifiedOrigin
  readonly calendarVersion: string
  readonly generation: number
  /** ISO 8601. */
  readonly issuedAt: string
}
