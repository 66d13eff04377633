import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { type CopyObjectCommand, DeleteObjectCommand, GetObjectCommand, HeadBucketCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import { PipelineError } from '../../domain/errors.js'
import type { ObjectKey } from '../../domain/names.js'
import { checkObjectKey } from '../../domain/object-key.js'
import type { Condition, ObjectInfo, ObjectStore, WrittenObject } from '../../domain/ports/object-store.js'
import { checkedBody, checkedPieces, type BodyOptions } from './checked-body.js'
import { lengthOf } from './checked-file.js'
import { conditionsOf, copyCommand, copySource, type Conditions, type ConditionalWrites } from './conditions.js'
import { copyInParts } from './copy-in-parts.js'
import { comparesDigests } from './digest-comparison.js'
import { download } from './download-object.js'
import { KeyQueue } from './key-queue.js'
import { listObjects } from './list-objects.js'
import { infoOf, isSame, plain, quoted, storedOf, wholeSeconds, type Stored } from './object-info.js'
import { kindOf, nameOf, noBucket, s3Failure } from './s3-failure.js'
import type { S3Link } from './s3-link.js'
import { parseS3Url, type S3Place } from './s3-place.js'
import { sendWhole } from './send-file.js'
import { sendInParts } from './send-in-parts.js'
import { sweepUnfinished } from './sweep-unfinished.js'

/** From this size on a file is sent in parts. */
export const PARTS_FROM_BYTES = 64 * 1_048_576
/** What one server-side copy takes. */
export const MOST_COPY_BYTES = 5 * 1_073_741_824

export type S3StoreOptions = {
  /** `s3://bucket/prefix`. */
  readonly url: string
  readonly link: S3Link
  readonly conditionalWrites?: ConditionalWrites
  readonly partsFromBytes?: number
}

/**
 * An object store in a bucket of any server that speaks S3. Nothing is asked of it before the first call.
 *
 * Conditions are kept by the server where it does (AWS, R2, MinIO). Where it does not, they are kept by looking before and
 * after each write: exact between writers of this process; between processes the last writer wins, the other one is told
 * so unless it had looked already, and `reconcile` finds an object that is not the catalog's. @throws {BAD_CONFIG}
 */
export function openS3ObjectStore(o: S3StoreOptions): ObjectStore {
  return new BucketStore(o)
}

type Write = {
  readonly key: ObjectKey
  readonly condition: Condition | undefined
  /** The server keeps the condition. */
  readonly kept: boolean
  readonly bytes: number
  readonly isOurs: (now: Stored) => boolean
  /** Nothing but this very write makes such an object. */
  readonly isUnique: boolean
  /** An answer with an ETag is enough. */
  readonly isCompared: boolean
  /** Gives the ETag. */
  readonly send: () => Promise<string | undefined>
}

class BucketStore implements ObjectStore {
  readonly url: string
  readonly #place: S3Place
  readonly #link: S3Link
  readonly #setting: ConditionalWrites
  readonly #partsFromBytes: number
  readonly #queue = new KeyQueue()
  #asking: Promise<Conditions> | undefined
  #bucketSeen = false
  /** An object was read back with what was said of it. */
  #keepsMetadata = false
  #comparing: Promise<boolean> | undefined

  constructor(o: S3StoreOptions) {
    this.#place = parseS3Url(o.url)
    this.url = this.#place.url
    this.#link = o.link
    this.#setting = o.conditionalWrites ?? 'auto'
    this.#partsFromBytes = o.partsFromBytes ?? PARTS_FROM_BYTES
  }

  async head(key: ObjectKey): Promise<ObjectInfo | null> {
    const stored = await this.#stored(key)
    return stored && infoOf(key, stored)
  }

  async get(o: Parameters<ObjectStore['get']>[0]): Promise<Readable> {
    const { range } = o
    if (range) checkRange(range)
    if (range && range.start === range.end) return await this.#nothing(o.key, o.ifMatch)
    const body = await this.#open(o)
    return body ? checkedBody(body) : Readable.from([])
  }

  /** Null for a range behind the end. */
  async #open({ key, range, ifMatch }: Parameters<ObjectStore['get']>[0]): Promise<BodyOptions | null> {
    const at = this.#at(key)
    const from = range?.start ?? 0
    try {
      const answer = await this.#fetch(key, ifMatch, range && { from, to: range.end - 1 })
      const bytes = answer.ContentLength ?? 0
      if (range) checkPartial(answer.ContentRange, from, bytes, at)
      const { etag, sha256Hex } = storedOf(answer)
      const again = async (offset: number): Promise<Readable> =>
        (await this.#fetch(key, etag, { from: from + offset, to: from + bytes - 1 })).Body as Readable
      return { first: answer.Body as Readable, again, bytes, sha256Hex: range ? null : sha256Hex, at }
    } catch (thrown) {
      if (range && nameOf(thrown) === 'InvalidRange') return null
      if (kindOf(thrown) === 'absent') await this.#bucketIsThere()
      throw s3Failure(thrown, at)
    }
  }

  /**
   * An object is read back until the server has shown that it keeps metadata, and compares what it gets with the digest that
   * the request is signed with; later only what came in parts, or under a condition that is kept here. With every one read
   * back, a month of 4 MiB took a tenth more time.
   */
  async put(o: Parameters<ObjectStore['put']>[0]): Promise<WrittenObject> {
    const { path, sha256Hex, condition } = o
    const key = this.#full(o.key)
    const write = randomUUID()
    return await this.#orFailure(o.key, async () => {
      const bytes = await lengthOf(path)
      const kept = condition !== undefined && (await this.#conditions()).put
      const file = { bucket: this.#place.bucket, key, path, bytes, sha256Hex, write, condition: kept ? condition : undefined }
      const isWhole = bytes < this.#partsFromBytes
      const isCompared = isWhole && (condition === undefined || kept) && (await this.#comparesDigests())
      const send = (): Promise<string | undefined> =>
        isWhole ? this.#link.trying(() => sendWhole(this.#link, file)) : sendInParts(this.#link, file)
      const isOurs = (now: Stored): boolean => {
        const is = now.write === write
        this.#keepsMetadata ||= is
        return is
      }
      return await this.#write({ key: o.key, condition, kept, bytes, isUnique: true, isCompared, isOurs, send })
    })
  }

  async copy(o: Parameters<ObjectStore['copy']>[0]): Promise<ObjectInfo> {
    const [from] = [this.#full(o.from), this.#full(o.to)]
    if (o.from === o.to) throw new PipelineError('PRECONDITION_FAILED', 'it would be copied onto itself', { at: this.#at(o.to) })
    return await this.#orFailure(o.to, async () => {
      const of = await this.#stored(o.from)
      if (!of) throw this.#absent(o.from)
      return await this.#copyFrom({ bucket: this.#place.bucket, key: from, of }, o.to, o.condition)
    })
  }

  async move(o: Parameters<ObjectStore['move']>[0]): Promise<ObjectInfo> {
    const info = await this.copy(o)
    await this.#remove(o.from)
    return info
  }

  /** False when there was none a moment before: the server itself does not say. */
  async delete(key: ObjectKey): Promise<boolean> {
    if (!(await this.#stored(key))) return false
    await this.#remove(key)
    return true
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    yield* listObjects(this.#link, this.#place, prefix)
  }

  async materialise(o: { key: ObjectKey; scratch: string }): Promise<string> {
    this.#full(o.key) // refuses what is no key before a file is named after it
    const open = async (): Promise<AsyncIterable<Buffer>> => {
      const body = await this.#open({ key: o.key })
      if (!body) throw this.#absent(o.key)
      return checkedPieces(body)
    }
    return await download({ key: checkObjectKey(o.key), scratch: o.scratch, open })
  }

  async sweep(olderThanMs: number): Promise<number> {
    return await this.#orFailure('', () => sweepUnfinished(this.#link, this.#place, olderThanMs))
  }

  async import(o: Parameters<NonNullable<ObjectStore['import']>>[0]): Promise<ObjectInfo | null> {
    const { place: { service, bucket, key }, to, sha256Hex } = o
    if (service !== this.#link.service) return null
    return await this.#orFailure(to, async () => {
      const of = await this.#head(bucket, key)
      if (!of) throw new PipelineError('OBJECT_ABSENT', 'there is no such object', { at: `s3://${bucket}/${key}` })
      if (of.sha256Hex !== sha256Hex || of.bytes !== o.bytes) {
        throw new PipelineError('OBJECT_CORRUPT', 'the object to copy is not the one that was stored', {
          at: `s3://${bucket}/${key}`, wantHex: sha256Hex, gotHex: of.sha256Hex,
        })
      }
      return await this.#copyFrom({ bucket, key, of }, to, undefined)
    })
  }

  async #copyFrom(
    from: { bucket: string; key: string; of: Stored }, to: ObjectKey, condition: Condition | undefined,
  ): Promise<ObjectInfo> {
    const { bucket, key, of } = from
    const dialect = condition === undefined ? null : (await this.#conditions()).copy
    const source = copySource(bucket, key)
    const inParts = dialect === 'parts' || of.bytes > MOST_COPY_BYTES
    const isOurs = (now: Stored): boolean => isSame(now, of)
    const place = { Bucket: this.#place.bucket, Key: this.#full(to) }
    const doneAlready = async (): Promise<string | null> => {
      const now = storedOf(await this.#link.once(new HeadObjectCommand(place)))
      return isOurs(now) ? now.etag : null
    }
    const send = (): Promise<string | undefined> => {
      if (!inParts) {
        const input = { ...place, CopySource: source, CopySourceIfMatch: quoted(of.etag) }
        return this.#copyOnce(copyCommand(input, condition, dialect === 'r2' ? 'r2' : 'standard'), doneAlready)
      }
      const { etag, bytes, metadata } = of
      const target = { bucket: place.Bucket, to: place.Key, condition: dialect === null ? undefined : condition }
      return copyInParts(this.#link, { ...target, source, etag, bytes, metadata, doneAlready })
    }
    const kept = dialect !== null
    return await this.#write({ key: to, condition, kept, bytes: of.bytes, isUnique: false, isCompared: false, isOurs, send })
  }

  /** One request. When the answer of a try was lost, its copy stands in the way of the next one. */
  #copyOnce(command: CopyObjectCommand, doneAlready: () => Promise<string | null>): Promise<string | undefined> {
    return this.#link.trying(async (attempt) => {
      try {
        return (await this.#link.once(command)).CopyObjectResult?.ETag
      } catch (thrown) {
        const done = attempt > 1 && kindOf(thrown) === 'precondition' ? await doneAlready() : null
        if (done !== null) return done
        throw thrown
      }
    })
  }

  /** Writes under a condition, and reads back what the store says of the object where its answer is not enough. */
  async #write(o: Write): Promise<ObjectInfo> {
    if (o.condition && !o.kept) return await this.#queue.run(o.key, () => this.#writeLooking(o, o.condition))
    return await this.#writeLooking(o, undefined)
  }

  async #writeLooking(o: Write, looking: Condition | undefined): Promise<ObjectInfo> {
    if (looking) refuseOther(await this.#stored(o.key), looking, this.#at(o.key))
    const etag = plain(await this.#sent(o))
    const written = { key: o.key, bytes: o.bytes, etag, lastModified: wholeSeconds(new Date(this.#link.now())) }
    if (o.isCompared && etag !== '') return written
    const now = await this.#readBack(o)
    if (now && o.isOurs(now)) return infoOf(o.key, now)
    if (looking) throw preconditionFailed(this.#at(o.key), 'another writer was there at the same time')
    // Written, and replaced since.
    return written
  }

  /** Sends, and gives the ETag. After a lost answer the next try finds its own object in the way, or its upload finished. */
  async #sent(o: Write): Promise<string | undefined> {
    try {
      return await o.send()
    } catch (thrown) {
      const mayBeDone = nameOf(thrown) === 'NoSuchUpload' || (kindOf(thrown) === 'precondition' && o.isUnique)
      const now = mayBeDone ? await this.#stored(o.key) : null
      if (now && o.isOurs(now)) return now.etag
      // Servers say of If-Match where there is no object that there is none.
      const isNone = o.condition !== undefined && 'ifMatch' in o.condition && nameOf(thrown) === 'NoSuchKey'
      throw isNone ? preconditionFailed(this.#at(o.key), 'there is no object to replace') : thrown
    }
  }

  /** A length that is not the one that was sent gets a second look: it may be the answer that is wrong. */
  async #readBack(o: Write): Promise<Stored | null> {
    for (let look = 1; ; look++) {
      const now = await this.#stored(o.key)
      if (!now || now.bytes === o.bytes || !o.isOurs({ ...now, bytes: o.bytes })) return now
      if (look < 3) continue
      throw new PipelineError('OBJECT_CORRUPT', `the store has ${now.bytes} bytes of ${o.bytes}`, { at: this.#at(o.key) })
    }
  }

  /** Nothing of an object that must be there all the same. */
  async #nothing(key: ObjectKey, ifMatch: string | undefined): Promise<Readable> {
    const now = await this.#stored(key)
    if (!now) throw this.#absent(key)
    if (ifMatch !== undefined && now.etag !== ifMatch) throw preconditionFailed(this.#at(key), 'another object is there now')
    return Readable.from([])
  }

  #fetch(key: ObjectKey, ifMatch: string | undefined, range: { from: number; to: number } | undefined) {
    return this.#link.trying(() => this.#link.once(new GetObjectCommand({
      Bucket: this.#place.bucket, Key: this.#full(key),
      ...(ifMatch === undefined ? {} : { IfMatch: quoted(ifMatch) }),
      ...(range ? { Range: `bytes=${range.from}-${range.to}` } : {}),
    })))
  }

  async #stored(key: ObjectKey): Promise<Stored | null> {
    return await this.#orFailure(key, async () => await this.#head(this.#place.bucket, this.#full(key)))
  }

  async #head(Bucket: string, Key: string): Promise<Stored | null> {
    try {
      const answer = await this.#link.client.send(new HeadObjectCommand({ Bucket, Key }))
      this.#bucketSeen = true
      return storedOf(answer)
    } catch (thrown) {
      if (kindOf(thrown) !== 'absent') throw thrown
      await this.#bucketIsThere()
      return null
    }
  }

  async #remove(key: ObjectKey): Promise<void> {
    const Key = this.#full(key)
    await this.#orFailure(key, async () => {
      await this.#link.client.send(new DeleteObjectCommand({ Bucket: this.#place.bucket, Key }))
    })
  }

  /** An absent object is null only while the bucket is there. @throws {STORE_UNREACHABLE} */
  async #bucketIsThere(): Promise<void> {
    if (this.#bucketSeen) return
    try {
      await this.#link.client.send(new HeadBucketCommand({ Bucket: this.#place.bucket }))
      this.#bucketSeen = true
    } catch (thrown) {
      throw kindOf(thrown) === 'absent' ? noBucket(this.#place.url) : s3Failure(thrown, this.#place.url)
    }
  }

  #conditions(): Promise<Conditions> {
    return (this.#asking ??= conditionsOf(this.#link, this.#place, this.#setting).catch((thrown: unknown) => {
      this.#asking = undefined
      throw thrown
    }))
  }

  /** Asked once, of a server that has kept an object's metadata. */
  async #comparesDigests(): Promise<boolean> {
    if (!this.#keepsMetadata || !this.#link.signsPayload) return false
    return await (this.#comparing ??= comparesDigests(this.#link, this.#place).catch((thrown: unknown) => {
      this.#comparing = undefined
      throw thrown
    }))
  }

  async #orFailure<T>(key: ObjectKey, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (thrown) {
      throw s3Failure(thrown, this.#at(key))
    }
  }

  #full(key: ObjectKey): string {
    return this.#place.base + checkObjectKey(key)
  }

  #at(key: ObjectKey): string {
    return key === '' ? this.url : `${this.url}/${key}`
  }

  #absent(key: ObjectKey): PipelineError {
    return new PipelineError('OBJECT_ABSENT', 'there is no such object', { at: this.#at(key) })
  }
}

function refuseOther(now: Stored | null, condition: Condition, at: string): void {
  if ('ifNoneMatch' in condition) {
    if (now) throw preconditionFailed(at, 'there is an object already')
  } else if (!now) {
    throw preconditionFailed(at, 'there is no object to replace')
  } else if (now.etag !== condition.ifMatch) {
    throw preconditionFailed(at, 'another object is there now')
  }
}

const preconditionFailed = (at: string, why: string): PipelineError =>
  new PipelineError('PRECONDITION_FAILED', `the object was not written: ${why}`, { at })

function checkRange({ start, end }: { start: number; end: number }): void {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end >= start) return
  throw new PipelineError('BAD_USAGE', `[${start}, ${end}) is not a range of bytes`)
}

/** A server that passes over the range would give other bytes than were asked for. */
function checkPartial(contentRange: string | undefined, from: number, bytes: number, at: string): void {
  const m = /^bytes (\d+)-(\d+)\//.exec(contentRange ?? '')
  if (m && Number(m[1]) === from && Number(m[2]) - from + 1 === bytes) return
  throw new PipelineError('OBJECT_CORRUPT', 'the store gave another range than was asked for', { at, range: contentRange ?? null })
}

