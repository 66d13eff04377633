import type { ObjectPlace } from './object-store.js'

/** A file that one stage left for the next. The key is below `stagingFolderOf`, so two executions never share one. */
export type StagedFile = { readonly key: string; readonly bytes: number; readonly sha256Hex: string }

/** Files between two stages: in a local folder, or in a bucket, which lets the stages run on different hosts. */
export interface Staging {
  /** A local folder for one execution's unfinished files; removed by `clear`. */
  scratch(folder: string): Promise<string>
  /**
   * Hands a finished scratch file on under `key` (folder + name). It outlives the process, perhaps not a power cut: who
   * opens it compares the SHA-256. @throws {DISK_FULL, STORE_UNREACHABLE}
   */
  keep(o: { key: string; path: string; sha256Hex: string }): Promise<StagedFile>
  /** A local path to a staged file of the recorded length. @throws {STAGING_LOST} when it is gone or has another length */
  open(file: StagedFile, scratch: string): Promise<string>
  /** Where a staged file lies for a store that can copy it by itself. Missing where it is local. */
  placeOf?(file: StagedFile): ObjectPlace
  /** This process is done with a folder: scratch files that lie apart from what was kept need not wait for `clear`. */
  leave(folder: string): Promise<void>
  /** Removes a folder with all that is in it, scratch files too; nothing happens when there is none. */
  clear(folder: string): Promise<void>
  /** Every folder of an execution that still holds something. */
  folders(): AsyncIterable<{ readonly folder: string; readonly bytes: number; readonly changed: Date }>
  /** Bytes free on the disk of scratch files; null where it cannot be asked. */
  freeBytes(): Promise<number | null>
  /** Removes unfinished copies outside of the folders that nothing has changed for so many milliseconds. Gives how many. */
  sweep(olderThanMs: number): Promise<number>
}
