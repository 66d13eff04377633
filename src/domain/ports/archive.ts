import type { ArchiveKey } from '../archive-names.js'
import type { Source, WantedSource } from '../source.js'

/** A downloaded source: what it is, and where its bytes were written. */
export type Fetched = { readonly source: Source; readonly path: string }

/** The Binance public archive, or a server with its layout. */
export interface Archive {
  /**
   * Streams one ZIP and its CHECKSUM to `path`, hashing on the way; resumes by Range after a broken transfer.
   * @throws {ARCHIVE_ABSENT} no such file @throws {ARCHIVE_UNREACHABLE, ARCHIVE_BUSY, ARCHIVE_REFUSED, ARCHIVE_REDIRECT}
   * @throws {SOURCE_TRUNCATED, SOURCE_CHANGED, SOURCE_NOT_ZIP, SOURCE_TOO_LARGE, CHECKSUM_FOREIGN, DISK_FULL}
   */
  fetch(o: {
    wanted: WantedSource
    path: string
    signal: AbortSignal
    onBytes?: (count: number) => void
  }): Promise<Fetched>
}

/** The archive's bucket listing. */
export interface ArchiveListing {
  /** Every ZIP below a prefix that ends in `/`, in key order, CHECKSUM keys left out. @throws {ARCHIVE_UNREACHABLE} */
  files(prefix: string, signal?: AbortSignal): AsyncIterable<WantedSource>
  /** The names of the child folders of a prefix that ends in `/`. @throws {ARCHIVE_UNREACHABLE} */
  folders(prefix: string, signal?: AbortSignal): AsyncIterable<string>
  /** Whether a key exists, and what the listing says of it. */
  find(key: ArchiveKey, signal?: AbortSignal): Promise<WantedSource | null>
}
