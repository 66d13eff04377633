import { rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PipelineError } from '../../domain/errors.js'
import { MARKER } from '../../domain/names.js'
import { checkObjectKey } from '../../domain/object-key.js'
import type { ObjectPlace, ObjectStore } from '../../domain/ports/object-store.js'
import type { StagedFile, Staging } from '../../domain/ports/staging.js'
import { LocalScratch } from './local-scratch.js'
import { openS3ObjectStore } from './s3-object-store.js'
import type { S3Link } from './s3-link.js'
import { parseS3Url, type S3Place } from './s3-place.js'

export type S3StagingOptions = {
  /** `s3://bucket/prefix`. */
  readonly url: string
  readonly link: S3Link
  /** Scratch files lie below it, on this host. */
  readonly cacheDir: string
}

/** Staging in a bucket: what one host keeps, any other opens. Unfinished files are local. @throws {BAD_CONFIG} */
export function openS3Staging(o: S3StagingOptions): Staging {
  return new BucketStaging(o)
}

class BucketStaging implements Staging {
  readonly #place: S3Place
  readonly #service: string
  readonly #store: ObjectStore
  readonly #scratch: LocalScratch

  constructor(o: S3StagingOptions) {
    this.#place = parseS3Url(o.url)
    this.#service = o.link.service
    this.#store = openS3ObjectStore(o)
    this.#scratch = new LocalScratch(o.cacheDir, this.#place.url)
  }

  scratch(folder: string): Promise<string> {
    return this.#scratch.of(folder)
  }

  async keep(o: Parameters<Staging['keep']>[0]): Promise<StagedFile> {
    const { bytes } = await this.#store.put(o)
    await rm(o.path, { force: true })
    return { key: o.key, bytes, sha256Hex: o.sha256Hex }
  }

  async open(file: StagedFile, scratch: string): Promise<string> {
    const path = await this.#store.materialise({ key: checkObjectKey(file.key), scratch }).catch((thrown: unknown) => {
      const is = thrown instanceof PipelineError ? thrown.code : null
      throw is === 'OBJECT_ABSENT' || is === 'OBJECT_CORRUPT' ? lost(file.key, 'a staged file is gone, or spoilt') : thrown
    })
    const { size } = await stat(path)
    if (size === file.bytes) return path
    throw lost(file.key, `a staged file has ${size} bytes, not ${file.bytes}`)
  }

  placeOf(file: StagedFile): ObjectPlace {
    const { bucket, base } = this.#place
    return { service: this.#service, bucket, key: base + checkObjectKey(file.key) }
  }

  leave(folder: string): Promise<void> {
    return this.#scratch.remove(folder)
  }

  async clear(folder: string): Promise<void> {
    checkObjectKey(folder)
    const keys: string[] = []
    for await (const { key } of this.#store.list(`${folder}/`)) keys.push(key)
    for (const key of keys) await this.#store.delete(key)
    await this.#scratch.remove(folder)
  }

  /** What lies in the bucket, with the scratch files of this host; those of others are theirs to see. */
  async *folders(): ReturnType<Staging['folders']> {
    const local = await this.#scratch.sizes()
    for await (const { folder, bytes, changed } of this.#kept()) {
      const here = local.get(folder)
      local.delete(folder)
      yield { folder, bytes: bytes + (here?.bytes ?? 0), changed: here && here.changed > changed ? here.changed : changed }
    }
    for (const [folder, size] of local) yield { folder, ...size }
  }

  freeBytes(): Promise<number | null> {
    return this.#scratch.freeBytes()
  }

  sweep(olderThanMs: number): Promise<number> {
    return this.#store.sweep(olderThanMs)
  }

  /** Objects of one folder come one after the other: a key's folder is what is before its last slash. */
  async *#kept(): ReturnType<Staging['folders']> {
    let at: Folder = { folder: '', bytes: 0, changed: new Date(0) }
    for await (const { key, bytes, lastModified } of this.#store.list('')) {
      if (key === MARKER) continue
      const folder = dirname(key)
      if (at.folder !== '' && at.folder !== folder) yield at
      at = at.folder === folder ? grown(at, bytes, lastModified) : { folder, bytes, changed: lastModified }
    }
    if (at.folder !== '') yield at
  }
}

type Folder = { readonly folder: string; readonly bytes: number; readonly changed: Date }

const grown = ({ folder, bytes, changed }: Folder, more: number, at: Date): Folder =>
  ({ folder, bytes: bytes + more, changed: at > changed ? at : changed })

const lost = (at: string, message: string): PipelineError => new PipelineError('STAGING_LOST', message, { at })
