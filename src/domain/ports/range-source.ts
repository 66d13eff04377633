/** Which content of an object is meant: reading another one fails. */
export type ObjectVersion = { readonly etag: string; readonly bytes: number }

/** An object somewhere else whose bytes can be had in parts. */
export interface RangeSource {
  /** Names the object across processes: no credentials, no query. */
  readonly id: string
  /** What its parts are kept under: `id`, and a digest of what else names the object. */
  readonly cacheId: string
  /** The version that was planned with; null where nobody knows it before asking. */
  readonly planned: ObjectVersion | null
  /** Asks for the version, without a byte of the object. @throws {OBJECT_ABSENT, STORE_UNREACHABLE} */
  head(signal: AbortSignal): Promise<ObjectVersion>
  /** The last bytes and the version that they are of. @throws {OBJECT_ABSENT, STORE_UNREACHABLE} */
  tail(bytes: number, signal: AbortSignal): Promise<{ readonly version: ObjectVersion; readonly tail: Buffer }>
  /**
   * Bytes `[start, end)` of that version, all of them.
   * @throws {PRECONDITION_FAILED} another content is there now
   * @throws {OBJECT_ABSENT, OBJECT_CORRUPT, STORE_UNREACHABLE}
   */
  read(o: { start: number; end: number; version: ObjectVersion; signal: AbortSignal }): Promise<Buffer>
}

/** What reading cost: requests and bytes that travelled, and objects of which every wanted byte was at hand. */
export type ReadCost = { readonly requests: number; readonly bytesRead: number; readonly cacheHits: number }
