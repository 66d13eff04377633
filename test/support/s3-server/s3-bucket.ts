import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { copyFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { noSuchKey, preconditionFailed, S3Refusal } from './s3-error.js'
import type { Received } from './s3-receive.js'

export type S3Object = {
  readonly key: string
  readonly path: string
  readonly bytes: number
  readonly etag: string
  readonly lastModified: Date
  /** `x-amz-meta-…` and `content-type`, as they are given back. */
  readonly headers: Readonly<Record<string, string>>
}

export type S3Part = { readonly number: number; readonly at: Date } & Received
export type S3UploadState = {
  readonly id: string
  readonly key: string
  readonly initiated: Date
  readonly headers: S3Object['headers']
  readonly parts: Map<number, S3Part>
}

/** What must hold of the object that a write replaces. */
export type WriteCondition = { readonly ifMatch?: string | undefined; readonly ifNoneMatch?: string | undefined }

const LEAST_PART_BYTES = 5 * 1_048_576

/** The objects and unfinished uploads of one bucket, their bytes in files of a folder that is only added to. */
export class S3Bucket {
  readonly objects = new Map<string, S3Object>()
  readonly uploads = new Map<string, S3UploadState>()
  readonly #folder: string
  readonly #now: () => Date

  constructor(folder: string, now: () => Date) {
    this.#folder = folder
    this.#now = now
  }

  newPath(): string {
    return join(this.#folder, randomUUID())
  }

  get(key: string): S3Object {
    const object = this.objects.get(key)
    if (!object) throw noSuchKey()
    return object
  }

  /** Puts a received body in its place in one step; the condition is judged at that very moment. */
  async commit(key: string, body: Received, headers: S3Object['headers'], o: { condition: WriteCondition; etag?: string }): Promise<S3Object> {
    const before = this.objects.get(key)
    try {
      refuseOther(before, o.condition)
    } catch (thrown) {
      await rm(body.path, { force: true })
      throw thrown
    }
    const { path, bytes, md5Hex } = body
    const object = { key, path, bytes, etag: `"${o.etag ?? md5Hex}"`, lastModified: this.#now(), headers }
    this.objects.set(key, object)
    if (before) await rm(before.path, { force: true })
    return object
  }

  async copy(from: S3Object, key: string, condition: WriteCondition): Promise<S3Object> {
    const path = this.newPath()
    await copyFile(from.path, path)
    const copied = { path, bytes: from.bytes, md5Hex: from.etag.replaceAll('"', '') }
    return await this.commit(key, copied, from.headers, { condition })
  }

  /** A copy of bytes `[start, end]` of an object, or of all of it, as the body of a part. */
  async portion(from: S3Object, range: { start: number; end: number } | null): Promise<Received> {
    const path = this.newPath()
    const md5 = createHash('md5')
    const hashing = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      for await (const chunk of chunks) {
        md5.update(chunk)
        yield chunk
      }
    }
    await pipeline(createReadStream(from.path, range ?? {}), hashing, createWriteStream(path))
    return { path, bytes: range ? range.end - range.start + 1 : from.bytes, md5Hex: md5.digest('hex') }
  }

  async delete(key: string): Promise<void> {
    const object = this.objects.get(key)
    this.objects.delete(key)
    if (object) await rm(object.path, { force: true })
  }

  /** Keys in byte order behind `after`, at most a page of them. */
  page(prefix: string, after: string, most: number): { readonly items: readonly S3Object[]; readonly more: boolean } {
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && byteOrder(key, after) > 0).sort(byteOrder)
    return { items: keys.slice(0, most).map((key) => this.get(key)), more: keys.length > most }
  }

  begin(key: string, headers: S3Object['headers']): S3UploadState {
    const upload = { id: randomUUID(), key, initiated: this.#now(), headers, parts: new Map<number, S3Part>() }
    this.uploads.set(upload.id, upload)
    return upload
  }

  uploadOf(id: string): S3UploadState {
    const upload = this.uploads.get(id)
    if (!upload) throw new S3Refusal(404, 'NoSuchUpload')
    return upload
  }

  async addPart(id: string, number: number, body: Received): Promise<void> {
    const upload = this.uploads.get(id)
    if (!upload) await rm(body.path, { force: true })
    const { parts } = this.uploadOf(id)
    const before = parts.get(number)
    parts.set(number, { number, at: this.#now(), ...body })
    if (before) await rm(before.path, { force: true })
  }

  async finish(id: string, wanted: readonly { number: number; etag: string }[], condition: WriteCondition): Promise<S3Object> {
    const upload = this.uploadOf(id)
    const parts = wanted.map(({ number, etag }) => {
      const part = upload.parts.get(number)
      if (!part || `"${part.md5Hex}"` !== etag) throw new S3Refusal(400, 'InvalidPart')
      return part
    })
    if (parts.slice(0, -1).some((part) => part.bytes < LEAST_PART_BYTES)) throw new S3Refusal(400, 'EntityTooSmall')
    refuseOther(this.objects.get(upload.key), condition)
    const path = this.newPath()
    for (const part of parts) await pipeline(createReadStream(part.path), createWriteStream(path, { flags: 'a' }))
    const digest = createHash('md5').update(Buffer.concat(parts.map((part) => Buffer.from(part.md5Hex, 'hex')))).digest('hex')
    const body = { path, bytes: parts.reduce((sum, part) => sum + part.bytes, 0), md5Hex: digest }
    const object = await this.commit(upload.key, body, upload.headers, { condition, etag: `${digest}-${parts.length}` })
    await this.abort(id)
    return object
  }

  async abort(id: string): Promise<void> {
    const upload = this.uploadOf(id)
    this.uploads.delete(id)
    for (const part of upload.parts.values()) await rm(part.path, { force: true })
  }
}

function refuseOther(before: S3Object | undefined, { ifMatch, ifNoneMatch }: WriteCondition): void {
  if (ifNoneMatch !== undefined && before && (ifNoneMatch === '*' || ifNoneMatch === before.etag)) throw preconditionFailed()
  if (ifMatch === undefined) return
  if (!before) throw noSuchKey()
  if (ifMatch !== '*' && ifMatch !== before.etag) throw preconditionFailed()
}

export const byteOrder = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
