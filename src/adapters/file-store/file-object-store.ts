import { constants } from 'node:fs'
import { copyFile, open, rm, unlink, utimes } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { PipelineError } from '../../domain/errors.js'
import { INCOMING, type ObjectKey } from '../../domain/names.js'
import { checkKeyPrefix } from '../../domain/object-key.js'
import type { ObjectInfo, ObjectStore } from '../../domain/ports/object-store.js'
import { pruneFolders, syncFile, syncFolder } from './durable.js'
import { fileFailure, orAbsent, orFileFailure } from './file-failure.js'
import { freshStamp, infoOf, statFile } from './file-info.js'
import { hashedCopy } from './hashed-copy.js'
import { KeyLocks } from './key-locks.js'
import { placeFile, preconditionFailed } from './place-file.js'
import { absentIn, openRoot, pathInRoot, type RootOptions } from './root-folder.js'
import { makeTemp, STALE_MS, sweepTemp, tempPath } from './temp-files.js'
import { walkFiles } from './walk-files.js'

/** An object store in a folder, and the removal of what writers that died left unfinished (older than a day). */
export type FileObjectStore = ObjectStore & { sweep(olderThanMs?: number): Promise<number> }

/** @throws {STORE_UNREACHABLE} the folder is missing @throws {BAD_CONFIG} */
export async function openFileObjectStore(o: RootOptions): Promise<FileObjectStore> {
  return new FolderStore(await openRoot(o))
}

class FolderStore implements FileObjectStore {
  readonly url: string
  readonly #root: string
  readonly #locks = new KeyLocks()
  #hasTemp = false

  constructor(root: string) {
    this.#root = root
    this.url = pathToFileURL(root).href
  }

  async head(key: ObjectKey): Promise<ObjectInfo | null> {
    const path = pathInRoot(this.#root, key)
    return orFileFailure(path, async () => {
      const stats = await statFile(path)
      return stats ? infoOf(key, stats) : absentIn(this.#root)
    })
  }

  async get(o: Parameters<ObjectStore['get']>[0]): Promise<Readable> {
    const path = pathInRoot(this.#root, o.key)
    const { start, end } = checkRange(o.range)
    // O_NONBLOCK: a pipe laid into the folder must not hold the open for ever.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const handle = await orFileFailure(path, () => orAbsent(() => open(path, flags)))
    if (!handle) throw await this.#absent(o.key)
    try {
      const stats = await handle.stat({ bigint: true })
      if (!stats.isFile()) throw await this.#absent(o.key)
      if (o.ifMatch !== undefined && infoOf(o.key, stats).etag !== o.ifMatch) {
        throw preconditionFailed(o.key, 'another object is there now')
      }
      const last = Math.min(end, Number(stats.size)) - 1
      if (last >= start) return handle.createReadStream({ start, end: last })
    } catch (thrown) {
      await handle.close()
      throw fileFailure(thrown, path)
    }
    await handle.close()
    return Readable.from([])
  }

  async put(o: Parameters<ObjectStore['put']>[0]): Promise<ObjectInfo> {
    const { condition } = o
    return this.#write(o.key, condition, async (temp) => {
      const sha256Hex = await hashedCopy(o.path, temp)
      if (sha256Hex === null) throw new PipelineError('STAGING_LOST', 'the file to store is gone', { at: o.path })
      if (sha256Hex === o.sha256Hex) return
      throw new PipelineError('OBJECT_CORRUPT', 'the bytes read from disk are not those that were written', {
        at: o.path,
        wantHex: o.sha256Hex,
        gotHex: sha256Hex,
      })
    })
  }

  // A hard link would be faster, but then one content has two names: whoever overwrites the published file in place
  // (cp, an editor) would spoil the kept revision with it. Where the file system can share blocks, FICLONE does.
  async copy(o: Parameters<ObjectStore['copy']>[0]): Promise<ObjectInfo> {
    const from = pathInRoot(this.#root, o.from)
    return this.#write(o.to, o.condition, async (temp) => {
      if (!(await statFile(from))) throw await this.#absent(o.from)
      await copyFile(from, temp, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
      const stamp = freshStamp()
      await utimes(temp, stamp, stamp)
      await syncFile(temp)
    })
  }

  async move(o: Parameters<ObjectStore['move']>[0]): Promise<ObjectInfo> {
    const from = pathInRoot(this.#root, o.from)
    const to = pathInRoot(this.#root, o.to)
    if (from === to) throw preconditionFailed(o.to, 'it would be moved onto itself')
    return orFileFailure(to, () =>
      this.#locks.runBoth([from, to], async () => {
        if (!(await statFile(from))) throw await this.#absent(o.from)
        await placeFile({ from, to, condition: o.condition, fresh: false, durable: true })
        await pruneFolders(dirname(from), this.#root)
        return this.#infoAt(o.to, to)
      }),
    )
  }

  async delete(key: ObjectKey): Promise<boolean> {
    const path = pathInRoot(this.#root, key)
    return orFileFailure(path, async () => {
      const isThere = (await statFile(path)) && (await orAbsent(async () => (await unlink(path), true)))
      if (!isThere) return (await absentIn(this.#root)) ?? false
      await orAbsent(() => syncFolder(dirname(path)))
      await pruneFolders(dirname(path), this.#root)
      return true
    })
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    checkKeyPrefix(prefix)
    await absentIn(this.#root)
    const keys = walkFiles(this.#root, prefix)
    for (;;) {
      const step = await orFileFailure(this.#root, () => keys.next())
      if (step.done === true) return
      const info = await this.head(step.value)
      if (info) yield info
    }
  }

  async materialise(o: { key: ObjectKey; scratch: string }): Promise<string> {
    if (!(await this.head(o.key))) throw await this.#absent(o.key)
    return pathInRoot(this.#root, o.key)
  }

  sweep(olderThanMs = STALE_MS): Promise<number> {
    return orFileFailure(this.#root, () => sweepTemp(this.#root, olderThanMs))
  }

  async #write(
    key: ObjectKey,
    condition: Parameters<ObjectStore['put']>[0]['condition'],
    fill: (temp: string) => Promise<void>,
  ): Promise<ObjectInfo> {
    // An incoming object's content is flushed, its name is not: whoever finds it gone makes it again, and the move that
    // publishes it flushes the new name.
    const to = pathInRoot(this.#root, key)
    return orFileFailure(to, async () => {
      if (!this.#hasTemp) await makeTemp(this.#root)
      this.#hasTemp = true
      const temp = tempPath(this.#root)
      try {
        await fill(temp)
        return await this.#locks.run(to, async () => {
          await placeFile({ from: temp, to, condition, fresh: true, durable: !key.startsWith(`${INCOMING}/`) })
          return this.#infoAt(key, to)
        })
      } catch (thrown) {
        this.#hasTemp = false // its absence may be what failed
        await rm(temp, { force: true })
        throw thrown
      }
    })
  }

  async #infoAt(key: ObjectKey, path: string): Promise<ObjectInfo> {
    const stats = await statFile(path)
    if (!stats) throw await this.#absent(key)
    return infoOf(key, stats)
  }

  async #absent(key: ObjectKey): Promise<PipelineError> {
    await absentIn(this.#root)
    return new PipelineError('OBJECT_ABSENT', 'there is no such object', { at: `${this.url}/${key}` })
  }
}

function checkRange(range: { start: number; end: number } | undefined): { start: number; end: number } {
  const { start, end } = range ?? { start: 0, end: Number.MAX_SAFE_INTEGER }
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end >= start) return { start, end }
  throw new PipelineError('BAD_USAGE', `[${start}, ${end}) is not a range of bytes`)
}
