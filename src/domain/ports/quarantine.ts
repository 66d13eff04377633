/** The files of partitions that were refused, kept for a person to look at. It lies outside staging, with its own cap. */
export interface Quarantine {
  /**
   * Keeps copies of files under `folder`, in place of what that folder kept before. Nothing is ever removed to make room:
   * where the cap would be passed, `kept` is false and nothing is written. `bytes` are those of the given files.
   * @throws {DISK_FULL, STORE_UNREACHABLE}
   */
  keep(o: {
    folder: string
    files: readonly { readonly name: string; readonly path: string }[]
  }): Promise<{ readonly kept: boolean; readonly path: string | null; readonly bytes: number }>
  /** Removes what is kept for a folder; nothing happens when there is none. */
  remove(folder: string): Promise<void>
  /** Bytes kept in all. */
  bytes(): Promise<number>
}
