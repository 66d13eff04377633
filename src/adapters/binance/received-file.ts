import { createHash, type Hash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import { diskFailure } from '../../domain/disk-failure.js'
import { ZipHead } from './zip-head.js'

/** A file that a body is written to, hashed and counted on the way; it can be begun anew. */
export class ReceivedFile {
  readonly path: string
  readonly #handle: FileHandle
  #hash: Hash = createHash('sha256')
  #head = new ZipHead()
  #bytes = 0

  private constructor(path: string, handle: FileHandle) {
    this.path = path
    this.#handle = handle
  }

  /** @throws {DISK_FULL, STORE_UNREACHABLE} */
  static async create(path: string): Promise<ReceivedFile> {
    return orDiskFailure(path, async () => new ReceivedFile(path, await open(path, 'w')))
  }

  get bytes(): number {
    return this.#bytes
  }

  get head(): ZipHead {
    return this.#head
  }

  /** Appends a chunk; false when the file cannot be a ZIP. @throws {DISK_FULL, STORE_UNREACHABLE} */
  async append(chunk: Buffer): Promise<boolean> {
    if (!this.#head.push(chunk)) return false
    await orDiskFailure(this.path, async () => {
      for (let written = 0; written < chunk.length; ) {
        const { bytesWritten } = await this.#handle.write(chunk, written, chunk.length - written, this.#bytes + written)
        written += bytesWritten
      }
    })
    this.#hash.update(chunk)
    this.#bytes += chunk.length
    return true
  }

  /** Forgets what was received. */
  async restart(): Promise<void> {
    await orDiskFailure(this.path, () => this.#handle.truncate(0))
    this.#hash = createHash('sha256')
    this.#head = new ZipHead()
    this.#bytes = 0
  }

  /** SHA-256 of all that was appended, hex. */
  digest(): string {
    return this.#hash.copy().digest('hex')
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

async function orDiskFailure<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    throw diskFailure(thrown, path) ?? thrown
  }
}
