import type { MigrationReport, StoredReport } from '../migration.js'
import type { Partition } from '../partition.js'
import type { WantedSource } from '../source.js'
import type { PartitionFilter } from './keeper-catalog.js'

/** The catalog as the migration of hot rows uses it. All @throws {CATALOG_UNREACHABLE}. */
export interface MigrationCatalog {
  /**
   * Starts a month over from these sources, unless it is on its way, verified, refused, or the archive's own: then
   * null, and nothing was changed.
   */
  build(o: { partition: Partition; sources: readonly WantedSource[] }): Promise<{ readonly generation: number } | null>
  /** Keeps a report; of a month the newest twenty that name differences are kept, and the newest two others. */
  record(report: MigrationReport): Promise<void>
  /** The newest first; only those after one of this `id`, where it is given. */
  reports(
    filter: Pick<PartitionFilter, 'datasets' | 'symbols' | 'intervals' | 'months'>, afterId?: number,
  ): Promise<readonly StoredReport[]>
  /** The `id` of the newest report of all; 0 while there is none. */
  newestReport(): Promise<number>
}
