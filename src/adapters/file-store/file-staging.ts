import { open, readdir, rename, rm, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PipelineError } from '../../domain/errors.js'
import type { StagedFile, Staging } from '../../domain/ports/staging.js'
import { makeFolder, pruneFolders } from './durable.js'
import { errnoOf, orAbsent, orFileFailure } from './file-failure.js'
import { statFile } from './file-info.js'
import { folderSize } from './folder-size.js'
import { hashedCopy } from './hashed-copy.js'
import { absentIn, openRoot, pathInRoot, refuseLinks, tempFolderOf, type RootOptions } from './root-folder.js'
import { STALE_MS, sweepTemp, tempPath } from './temp-files.js'

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

  constructor(root: string) {
    this.#root = root
  }

  async scratch(folder: string): Promise<string> {
    const path = join(pathInRoot(this.#root, folder), SCRATCH)
    return orFileFailure(path, async () => {
      await refuseLinks(this.#root, path)
      await absentIn(this.#root)
      await makeFolder(path)
      return path
    })
  }

  async keep(o: Parameters<Staging['keep']>[0]): Promise<StagedFile> {
    const to = pathInRoot(this.#root, o.key)
    return orFileFailure(to, async () => {
      await refuseLinks(this.#root, dirname(to))
      await absentIn(this.#root)
      const handle = await orAbsent(() => open(o.path, 'r+'))
      if (!handle) throw lost(o.path, 'the scratch file is gone')
      // The content is flushed, the folder is not: a file that a power cut loses is found missing and made again, while
      // one of the right length without its content would be taken for good.
      const bytes = await handle.sync().then(() => handle.stat()).then((s) => s.size).finally(() => handle.close())
      await makeFolder(dirname(to))
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

  async clear(folder: string): Promise<void> {
    const path = pathInRoot(this.#root, folder)
    await orFileFailure(path, async () => {
      await refuseLinks(this.#root, dirname(path))
      // rm removes a link and never what it leads to.
      await rm(path, { recursive: true, force: true })
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

  /** A rename; only where scratch lies on another disk, a copy. */
  async #place(from: string, to: string): Promise<void> {
    try {
      await rename(from, to)
    } catch (thrown) {
      if (errnoOf(thrown) !== 'EXDEV') throw thrown
      const temp = await tempPath(this.#root)
      try {
        await hashedCopy(from, temp)
        await rename(temp, to)
        await rm(from)
      } finally {
        await rm(temp, { force: true })
      }
    }
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
