import { createHash } from 'node:crypto'
import { lstat, mkdir, readdir, rm, rmdir, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { diskFull } from '../../domain/disk-full.js'
import { errnoOf } from '../../domain/errno.js'
import { PipelineError } from '../../domain/errors.js'
import { checkObjectKey } from '../../domain/object-key.js'
import { whilePruned } from '../../domain/while-pruned.js'

export type ScratchSize = { readonly bytes: number; readonly changed: Date }

/** Marks the folder of an execution, so that those above it are told apart. */
const SCRATCH = '.scratch'

/** Unfinished files of executions on this host, below a folder of the staging's own. */
export class LocalScratch {
  readonly #root: string

  constructor(cacheDir: string, stagingUrl: string) {
    this.#root = join(cacheDir, 'scratch', createHash('sha256').update(stagingUrl).digest('hex').slice(0, 16))
  }

  /** Makes the folder of an execution, and gives its path. */
  async of(folder: string): Promise<string> {
    const path = this.#pathOf(folder)
    await orLocalFailure(path, () => whilePruned(() => mkdir(path, { recursive: true })))
    return path
  }

  async remove(folder: string): Promise<void> {
    const path = this.#pathOf(folder)
    await orLocalFailure(path, async () => {
      await rm(path, { recursive: true, force: true })
      for (let at = dirname(path); at.length > this.#root.length; at = dirname(at)) {
        // In use, or another remover was here.
        if (!(await rmdir(at).then(() => true, () => false))) return
      }
    })
  }

  /** Executions that left something on this host. */
  async sizes(): Promise<Map<string, ScratchSize>> {
    const found = new Map<string, ScratchSize>()
    await this.#collect('', found)
    return found
  }

  async freeBytes(): Promise<number | null> {
    await orLocalFailure(this.#root, () => mkdir(this.#root, { recursive: true }))
    const { bavail, bsize } = await statfs(this.#root)
    return bavail * bsize
  }

  #pathOf(folder: string): string {
    return join(this.#root, checkObjectKey(folder), SCRATCH)
  }

  async #collect(folder: string, found: Map<string, ScratchSize>): Promise<void> {
    const path = join(this.#root, folder)
    const names = await readdir(path, { withFileTypes: true }).catch(() => [])
    for (const name of names.filter((one) => one.isDirectory())) {
      if (name.name === SCRATCH) {
        const size = await sizeOf(join(path, SCRATCH))
        if (size) found.set(folder, size)
      } else {
        await this.#collect(folder === '' ? name.name : `${folder}/${name.name}`, found)
      }
    }
  }
}

async function sizeOf(path: string): Promise<ScratchSize | null> {
  const stats = await lstat(path).catch(() => null)
  if (!stats) return null
  let bytes = stats.isFile() ? stats.size : 0
  let changed = stats.mtime
  if (!stats.isDirectory()) return { bytes, changed }
  for (const name of await readdir(path).catch(() => [])) {
    const inner = await sizeOf(join(path, name))
    if (!inner) continue
    bytes += inner.bytes
    if (inner.changed > changed) changed = inner.changed
  }
  return { bytes, changed }
}

async function orLocalFailure<T>(at: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof PipelineError) throw thrown
    const errno = errnoOf(thrown) ?? 'unknown'
    const facts = { at, errno, do: 'give this user the right to write there, or set CANDLELAKE_CACHE' }
    throw diskFull(thrown, at) ?? new PipelineError('STORE_UNREACHABLE', `the folder cannot be used (${errno})`, facts, thrown)
  }
}
