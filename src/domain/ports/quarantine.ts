/** Where the files of quarantined partitions are kept, outside staging and with a cap of its own. */
export interface Quarantine {
  /** Keeps copies of files under `folder`; `kept` is null, and nothing is stored, when the cap would be passed. */
  keep(o: { folder: string; files: readonly { readonly name: string; readonly path: string }[] }): Promise<{
    readonly kept: string | null
    readonly bytes: number
  }>
  remove(folder: string): Promise<void>
  bytes(): Promise<number>
}
