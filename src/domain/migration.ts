import type { Difference } from './compare-rows.js'
import { isHotKey } from './hot-source.js'
import type { Partition } from './partition.js'
import type { PartitionSummary } from './ports/keeper-catalog.js'
import { STAGE_OF, type Stage } from './states.js'

/** Differences that a report names; further ones are counted. */
export const DIFFERENCES_MAX = 1_000

/** SHA-256, hex, of one column's values over the compared rows of either side. */
export type ColumnHash = { readonly column: string; readonly hot: string; readonly warm: string }

/** What a comparison of hot rows with their verified month found, before the archive's values replaced theirs. */
export type MigrationReport = {
  readonly partition: Partition
  /** The object that was compared. */
  readonly etag: string
  readonly hotRows: number
  /** Rows of the month that have the open time of one of them. */
  readonly warmRows: number
  /** Hot rows that the month lacks or has otherwise. */
  readonly differing: number
  readonly columns: readonly ColumnHash[]
  /** The first of them, value by value, at most `DIFFERENCES_MAX`. */
  readonly differences: readonly Difference[]
}

/** `id` grows from report to report. */
export type StoredReport = MigrationReport & { readonly id: number; readonly at: Date }

/** What became of a month's hot rows: those that left, those that took the archive's values, and those that stay. */
export type Migrated = {
  readonly report: MigrationReport | null
  readonly removed: number
  readonly corrected: number
  readonly kept: number
}

/** Why nothing is done now: the month is not over, or was refused, or is the archive's own, or is built already. */
export type Waits = 'running' | 'quarantined' | 'provisional' | 'built'

export type MigrationStep =
  /** A verified month is there: its rows and the hot ones are compared, and what it holds leaves. */
  | { readonly kind: 'reconcile' }
  /** The archive is late: a provisional month is made of the hot rows. */
  | { readonly kind: 'build' }
  /** The month is on its way. */
  | { readonly kind: 'join'; readonly stage: Stage; readonly generation: number }
  | { readonly kind: 'wait'; readonly why: Waits }

type Row = Pick<PartitionSummary, 'state' | 'generation' | 'published' | 'certificate'>

/**
 * What is to be done for a month with days past retention. `etag` names its hot rows as they are now; null: rows that no
 * month was built of.
 */
export function migrationStep(
  row: Row | null, { isOver, etag }: { readonly isOver: boolean; readonly etag: string | null },
): MigrationStep {
  const certificate = row?.published ? row.certificate : null
  if (certificate?.verdict === 'verified') return { kind: 'reconcile' }
  const stage = row ? STAGE_OF[row.state] : null
  if (row && stage !== null) return { kind: 'join', stage, generation: row.generation }
  if (!isOver) return { kind: 'wait', why: 'running' }
  if (row?.state === 'quarantined') return { kind: 'wait', why: 'quarantined' }
  const [source] = certificate?.origin?.sources ?? []
  if (certificate && !(source && isHotKey(source.key))) return { kind: 'wait', why: 'provisional' }
  return etag !== null && source?.etag === etag ? { kind: 'wait', why: 'built' } : { kind: 'build' }
}
