import { mkdir, readdir, rename, rm, rmdir, statfs, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf } from '../../domain/errno.js'
import { PipelineError } from '../../domain/errors.js'
import type { StagedFile, Staging } from '../../domain/ports/staging.js'
import { makeFolder, pruneFolders } from './durable.js'
import { orAbsent, orFileFailure } from './file-failure.js'
import { statFile } from './file-info.js'
import { folderSize } from './folder-size.js'
import { hashedCopy } from './hashed-copy.js'
import { RecentNames } from './recent-names.js'
import { absentIn, openRoot, pathInRoot, refuseLinks, tempFolderOf, type RootOptions } from './root-folder.js'
import { makeTemp, STALE_MS, sweepTemp, tempPath } from './temp-files.js'

/** Below an execution's folder, so that removing the folder removes the scratch files with it. */
const SCRATCH = '.scratch'

/** Staging in a local folder. @throws {STORE_UNREACHABLE} the folder is missing @throws {BAD_CONFIG} */
export async function openFileStaging(o: RootOptions): Promise<Staging> {
  const root = await openRoot(o)
  await orFileFailure(root, () => sweepTemp(root, STALE_MS))
  return new FolderStaging(root)
}

class FolderStaging implements Staging {
  readonly #root: string
  /** Folders of partitions that no link leads out of; looking again for each execution was a fifth of all calls. */
  readonly #seen = new RecentNames(1_000)

  constructor(root: string) {
    this.#root = root
  }

  async scratch(folder: string): Promise<string> {
    const execution = pathInRoot(this.#root, folder)
    const path = join(execution, SCRATCH)
    return orFileFailure(path, async () => {
      if (this.#seen.has(dirname(execution)) && (await orAbsent(() => makeBoth(execution, path)))) return path
      await refuseLinks(this.#root, path)
      await absentIn(this.#root)
      await makeFolder(path)
      this.#seen.add(dirname(execution))
      return path
    })
  }

  async keep(o: Parameters<Staging['keep']>[0]): Promise<StagedFile> {
    const to = pathInRoot(this.#root, o.key)
    return orFileFailure(to, async () => {
      if (!this.#seen.has(dirname(dirname(to)))) {
        await refuseLinks(this.#root, dirname(to))
        await absentIn(this.#root)
      }
      const stats = await statFile(o.path)
      if (!stats) throw lost(o.path, 'the scratch file is gone')
      // Nothing is flushed: flushing was a quarter of a small partition's time. What a power cut spoils, its reader finds
      // by length and SHA-256 and has made again.
      const bytes = Number(stats.size)
      await this.#place(o.path, to)
      return { key: o.key, bytes, sha256Hex: o.sha256Hex }
    })
  }

  async open(file: StagedFile, _scratch: string): Promise<string> {
    const path = pathInRoot(this.#root, file.key)
    return orFileFailure(path, async () => {
      const stats = await statFile(path)
      if (!stats) await absentIn(this.#root)
      if (!stats) throw lost(file.key, 'a staged file is gone')
      if (Number(stats.size) === file.bytes) return path
      throw lost(file.key, `a staged file has ${stats.size} bytes, not ${file.bytes}`)
    })
  }

  /** Scratch lies in the folder, and goes with it. */
  async leave(): Promise<void> {}

  async clear(folder: string): Promise<void> {
    const path = pathInRoot(this.#root, folder)
    await orFileFailure(path, async () => {
      if (!this.#seen.has(dirname(path))) await refuseLinks(this.#root, dirname(path))
      await removeFlat(join(path, SCRATCH))
      await removeFlat(path)
      await pruneFolders(dirname(path), this.#root)
    })
  }

  async *folders(): ReturnType<Staging['folders']> {
    await absentIn(this.#root)
    for await (const folder of executions(this.#root, '')) {
      const size = await orFileFailure(folder, () => folderSize(join(this.#root, folder)))
      if (size) yield { folder, bytes: size.bytes, changed: size.changed }
    }
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await orFileFailure(this.#root, () => statfs(this.#root))
    return bavail * bsize
  }

  sweep(olderThanMs: number): Promise<number> {
    return orFileFailure(this.#root, () => sweepTemp(this.#root, olderThanMs))
  }

  /** A rename; only where scratch lies on another disk, a copy. The folder is there already where the scratch file was in it. */
  async #place(from: string, to: string): Promise<void> {
    if (await isRenamed(from, to)) return
    await absentIn(this.#root)
    await makeFolder(dirname(to))
    if (!(await isRenamed(from, to))) await this.#copy(from, to)
  }

  async #copy(from: string, to: string): Promise<void> {
    await makeTemp(this.#root)
    const temp = tempPath(this.#root)
    try {
      if ((await hashedCopy(from, temp)) === null) throw lost(from, 'the scratch file is gone')
      await rename(temp, to)
      await rm(from)
    } finally {
      await rm(temp, { force: true })
    }
  }
}

/** False where the folder is missing, or on another disk. */
async function isRenamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT' || errnoOf(thrown) === 'EXDEV') return false
    throw thrown
  }
}

/** Makes a folder and one within it, where the folder's own parent is there. */
async function makeBoth(outer: string, inner: string): Promise<true> {
  for (const path of [outer, inner]) {
    await mkdir(path).catch((thrown: unknown) => {
      if (errnoOf(thrown) !== 'EEXIST') throw thrown
    })
  }
  return true
}

/** Removes a folder of files by half the calls of `rm`, which is left the others. A link goes, not what it leads to. */
async function removeFlat(path: string): Promise<void> {
  try {
    const names = await orAbsent(() => readdir(path))
    if (names === null) return
    for (const name of names) await unlink(join(path, name))
    await rmdir(path)
  } catch {
    await rm(path, { recursive: true, force: true })
  }
}

/** A folder that holds a file or scratch is an execution's; the ones above it only lead there. */
async function* executions(root: string, folder: string): AsyncGenerator<string> {
  const path = join(root, folder)
  if (path === tempFolderOf(root)) return
  const entries = (await orFileFailure(path, () => orAbsent(() => readdir(path, { withFileTypes: true })))) ?? []
  if (folder !== '' && entries.some((entry) => !entry.isDirectory() || entry.name === SCRATCH)) {
    yield folder
    return
  }
  for (const entry of entries.filter((e) => e.isDirectory()).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    yield* executions(root, folder === '' ? entry.name : `${folder}/${entry.name}`)
  }
}

const lost = (at: string, message: string): PipelineError => new PipelineError('STAGING_LOST', message, { at })
