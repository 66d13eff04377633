import type { Readable } from 'node:stream'
import type { ObjectKey } from '../names.js'

/** An object as its store describes it. `etag` changes whenever the content does; it is not a digest. */
export type ObjectInfo = {
  readonly key: ObjectKey
  readonly bytes: number
  readonly etag: string
  readonly lastModified: Date
}

/** What is known of an object as it has been written. */
export type WrittenObject = Pick<ObjectInfo, 'key' | 'bytes' | 'etag'>

/** Write only over the object with this ETag, or only where there is none. */
export type Condition = { readonly ifMatch: string } | { readonly ifNoneMatch: '*' }

/** Where an object lies outside of this store. `service` names a server and an identity; only their equality means anything. */
export type ObjectPlace = { readonly service: string; readonly bucket: string; readonly key: string }

/** Where objects are kept: a folder, S3, R2. One contract suite runs over every implementation. */
export interface ObjectStore {
  /** `file:///…` or `s3://bucket/prefix`, without credentials. */
  readonly url: string
  head(key: ObjectKey): Promise<ObjectInfo | null>
  /** Bytes `[start, end)` of an object, or all of it. @throws {OBJECT_ABSENT, PRECONDITION_FAILED, STORE_UNREACHABLE} */
  get(o: { key: ObjectKey; range?: { start: number; end: number }; ifMatch?: string }): Promise<Readable>
  /**
   * Stores a local file whole or not at all. @throws {OBJECT_CORRUPT} when the bytes read are not those of `sha256Hex`
   * @throws {PRECONDITION_FAILED, DISK_FULL, STORE_UNREACHABLE}
   */
  put(o: { key: ObjectKey; path: string; sha256Hex: string; condition?: Condition }): Promise<WrittenObject>
  /** Copies within the store. @throws {OBJECT_ABSENT, PRECONDITION_FAILED, DISK_FULL, STORE_UNREACHABLE} */
  copy(o: { from: ObjectKey; to: ObjectKey; condition?: Condition }): Promise<ObjectInfo>
  /** Like `copy`, and `from` is gone afterwards; on a file system one rename. Same errors. */
  move(o: { from: ObjectKey; to: ObjectKey; condition?: Condition }): Promise<ObjectInfo>
  /** False when there was none. */
  delete(key: ObjectKey): Promise<boolean>
  /** Every object below a prefix, in key order; unfinished writes are not objects. */
  list(prefix: string): AsyncIterable<ObjectInfo>
  /** A local file that holds the object: itself on a file system, else a copy in `scratch`. @throws {OBJECT_ABSENT} */
  materialise(o: { key: ObjectKey; scratch: string }): Promise<string>
  /**
   * Copies an object from outside without its bytes passing through here. Null where the store cannot reach that place.
   * @throws {OBJECT_ABSENT} @throws {OBJECT_CORRUPT} when it is not of that length and digest @throws {STORE_UNREACHABLE}
   */
  import?(o: { place: ObjectPlace; to: ObjectKey; bytes: number; sha256Hex: string }): Promise<ObjectInfo | null>
  /** Removes unfinished writes that nothing has changed for so many milliseconds: their writers died. Gives how many. */
  sweep(olderThanMs: number): Promise<number>
}
