import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { PipelineError } from '../domain/errors.js'
import { isAbsent } from './errno.js'

/** A file that a key names: its real path (no links left in it), size in bytes and time of last change in ms. */
export type BucketFile = { readonly path: string; readonly size: number; readonly mtimeMs: number }

/** ETags of files no longer asked for are dropped beyond this many. */
const ETAGS_KEPT = 100_000

/** The folder that is served. Nothing outside it is reachable, also not through a link inside it. */
export class Bucket {
  readonly root: string
  #etags = new Map<string, { readonly version: string; readonly etag: Promise<string> }>()

  private constructor(root: string) {
    this.root = root
  }

  /** @throws {BAD_CONFIG} the folder has no `data` folder of its own */
  static async open(root: string): Promise<Bucket> {
    const real = await realpath(root).catch(() => null)
    const bucket = real === null ? null : new Bucket(real)
    const data = await bucket?.resolve('data')
    if (bucket && data && (await stat(data)).isDirectory()) return bucket
    throw new PipelineError('BAD_CONFIG', `${root} has no data folder`, {
      at: '--root',
      do: 'name a folder that holds data/spot/... or data/futures/...',
    })
  }

  /** Whether a real path lies in the folder that is served. */
  holds(path: string): boolean {
    return path.startsWith(this.root.endsWith(sep) ? this.root : this.root + sep)
  }

  /** The real path of a key or of a folder (no `/` at its end); null where nothing is, or outside the root. */
  async resolve(key: string): Promise<string | null> {
    if (!isSafe(key)) return null
    try {
      const path = await realpath(join(this.root, ...key.split('/')))
      return this.holds(path) ? path : null
    } catch (thrown) {
      if (isAbsent(thrown)) return null
      throw thrown
    }
  }

  /** The file that a key names; null for a folder, a device or nothing. */
  async find(key: string): Promise<BucketFile | null> {
    const path = await this.resolve(key)
    if (path === null) return null
    try {
      const stats = await stat(path)
      return stats.isFile() ? { path, size: stats.size, mtimeMs: stats.mtimeMs } : null
    } catch (thrown) {
      if (isAbsent(thrown)) return null
      throw thrown
    }
  }

  /** The quoted MD5 of a file's content, computed once per path, size and time of change. */
  async etagOf(file: BucketFile): Promise<string> {
    const version = `${file.size} ${file.mtimeMs}`
    const known = this.#etags.get(file.path)
    if (known?.version === version) return known.etag
    const etag = md5Of(file.path)
    this.#etags.delete(file.path)
    this.#etags.set(file.path, { version, etag })
    for (const oldest of this.#etags.keys()) {
      if (this.#etags.size <= ETAGS_KEPT) break
      this.#etags.delete(oldest)
    }
    try {
      return await etag
    } catch (thrown) {
      this.#etags.delete(file.path)
      throw thrown
    }
  }
}

/** Whether every segment of a key is a plain name: nothing that a file system could read as a way out. */
export const isSafe = (key: string): boolean =>
  key.split('/').every((name) => name !== '' && name !== '.' && name !== '..' && !/[\u0000\\]/.test(name))

/** The ETag of bytes in memory. */
export const etagOfBytes = (bytes: Uint8Array): string => `"${createHash('md5').update(bytes).digest('hex')}"`

async function md5Of(path: string): Promise<string> {
  const hash = createHash('md5')
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) hash.update(chunk as Buffer)
  return `"${hash.digest('hex')}"`
}

