/** What every method of the library takes last. */
export interface Call {
  /** An abort rejects with `signal.reason` and leaves nothing half-written. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Progress) => void
}

/** How far a call is: `done` of `total` pieces of the stage, and the bytes that they took so far. */
export interface Progress {
  readonly stage: string
  readonly done: number
  readonly total: number
  readonly bytes: number
  /** Null where nobody knows beforehand. */
  readonly bytesTotal?: number | null
}
