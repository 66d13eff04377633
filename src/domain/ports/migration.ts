import type { MigrateFailpoint } from '../failpoints.js'
import type { Migrated, MigrationStep } from '../migration.js'
import type { Partition } from '../partition.js'

/** Hot rows past retention as the worker of migrate sees them. All @throws {CATALOG_UNREACHABLE}. */
export interface Migration {
  /** What is to be done for a month; null where it has no hot row past retention. */
  next(p: Partition): Promise<MigrationStep | null>
  /**
   * Compares with the verified month and takes off what it holds; null where it is not verified any more.
   * @throws {LEASE_HELD} somebody reads or writes one of the days for long
   */
  reconcile(p: Partition, o: { pass: (point: MigrateFailpoint) => void; signal: AbortSignal }): Promise<Migrated | null>
  /** Starts a provisional month of the hot rows; null where that is not to be done any more. */
  build(p: Partition): Promise<{ readonly generation: number } | null>
}
