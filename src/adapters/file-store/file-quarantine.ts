import { constants } from 'node:fs'
import { copyFile, lstat, mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PipelineError } from '../../domain/errors.js'
import { checkObjectKey } from '../../domain/object-key.js'
import type { Quarantine } from '../../domain/ports/quarantine.js'
import { inFolder, pruneFolders, syncFile, syncFolder } from './durable.js'
import { orAbsent, orFileFailure } from './file-failure.js'
import { statFile } from './file-info.js'
import { folderSize } from './folder-size.js'
import { KeyLocks } from './key-locks.js'
import { absentIn, openRoot, pathInRoot, refuseLinks, type RootOptions } from './root-folder.js'
import { makeTemp, STALE_MS, sweepTemp, tempPath } from './temp-files.js'

type Kept = Awaited<ReturnType<Quarantine['keep']>>

/**
 * Quarantine in a local folder of at most `maxBytes`. A folder that is kept again replaces what it held; nothing else
 * is ever removed to make room. @throws {STORE_UNREACHABLE, BAD_CONFIG}
 */
export async function openFileQuarantine(o: RootOptions & { readonly maxBytes: number }): Promise<Quarantine> {
  const root = await openRoot(o)
  await orFileFailure(root, () => sweepTemp(root, STALE_MS))
  return new FolderQuarantine(root, o.maxBytes)
}

class FolderQuarantine implements Quarantine {
  readonly #root: string
  readonly #maxBytes: number
  /** One keep after the other, or two could both find room for one. Another process may pass the cap by a partition. */
  readonly #turns = new KeyLocks()

  constructor(root: string, maxBytes: number) {
    this.#root = root
    this.#maxBytes = maxBytes
  }

  async keep(o: Parameters<Quarantine['keep']>[0]): Promise<Kept> {
    const to = pathInRoot(this.#root, o.folder)
    for (const { name } of o.files) checkName(name)
    return this.#turns.run('keep', () => orFileFailure(to, () => this.#keep(to, o.files)))
  }

  async remove(folder: string): Promise<void> {
    const path = pathInRoot(this.#root, folder)
    await orFileFailure(path, async () => {
      // Asked after every publication, and nearly always there is nothing: one call in place of eight.
      if (!(await orAbsent(() => lstat(path)))) return
      await refuseLinks(this.#root, dirname(path))
      await rm(path, { recursive: true, force: true })
      await pruneFolders(dirname(path), this.#root)
    })
  }

  async bytes(): Promise<number> {
    await absentIn(this.#root)
    return orFileFailure(this.#root, async () => (await folderSize(this.#root))?.bytes ?? 0)
  }

  async #keep(to: string, files: Parameters<Quarantine['keep']>[0]['files']): Promise<Kept> {
    await refuseLinks(this.#root, dirname(to))
    let bytes = 0
    for (const { path } of files) bytes += Number((await statFile(path))?.size ?? 0n)
    const before = (await folderSize(to))?.bytes ?? 0
    if ((await this.bytes()) - before + bytes > this.#maxBytes) return { kept: false, path: null, bytes }
    await makeTemp(this.#root)
    const temp = tempPath(this.#root)
    try {
      await mkdir(temp)
      for (const { name, path } of files) {
        await copyFile(path, join(temp, name), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
        await syncFile(join(temp, name))
      }
      await syncFolder(temp)
      await rm(to, { recursive: true, force: true })
      await inFolder(dirname(to), () => rename(temp, to))
      return { kept: true, path: to, bytes }
    } finally {
      await rm(temp, { recursive: true, force: true })
    }
  }
}

function checkName(name: string): void {
  checkObjectKey(name)
  if (name.includes('/')) throw new PipelineError('BAD_PARTITION', 'a kept file needs a plain name', { at: name })
}
