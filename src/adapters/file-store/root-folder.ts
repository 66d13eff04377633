import { mkdir, realpath, stat } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PipelineError } from '../../domain/errors.js'
import { checkObjectKey } from '../../domain/object-key.js'
import { fileFailure, orAbsent } from './file-failure.js'

/** Holds unfinished writes of a store; inside the root, so that a rename out of it stays in one file system. */
export const TEMP = '.tmp'

export type RootOptions = {
  /** `file:///…`, or a path. */
  readonly url: string
  /** Make the folder where it is missing. Without it a disk that is not mounted is an error, not an empty store. */
  readonly create?: boolean
}

/** The real path of a store's folder. @throws {STORE_UNREACHABLE} it is missing @throws {BAD_CONFIG} another URL */
export async function openRoot(o: RootOptions): Promise<string> {
  const path = pathOf(o.url)
  try {
    if (o.create) await mkdir(path, { recursive: true })
    const real = await realpath(path)
    if ((await stat(real)).isDirectory()) return real
  } catch (thrown) {
    throw fileFailure(thrown, path)
  }
  throw new PipelineError('STORE_UNREACHABLE', 'this is not a folder', { at: path, do: 'configure a folder' })
}

function pathOf(url: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(url)) return resolve(url)
  try {
    return fileURLToPath(url)
  } catch (thrown) {
    throw new PipelineError('BAD_CONFIG', 'this is not the URL of a local folder', { do: 'use file:///path' }, thrown)
  }
}

/** The path of a key below `root`. @throws {BAD_PARTITION} a key that would leave the root or meet unfinished writes */
export function pathInRoot(root: string, key: string): string {
  const path = resolve(root, checkObjectKey(key))
  // The key's own check already excludes the way out; this one does not depend on it.
  if (path.startsWith(root === sep ? root : root + sep) && key.split('/')[0] !== TEMP) return path
  throw new PipelineError('BAD_PARTITION', 'the key leads out of the store', { at: key })
}

/** Null stays null only while the root is there: a vanished mount is not an empty store. @throws {STORE_UNREACHABLE} */
export async function absentIn(root: string): Promise<null> {
  try {
    await stat(root)
    return null
  } catch (thrown) {
    throw fileFailure(thrown, root)
  }
}

/** Refuses a folder that a symbolic link inside the root leads elsewhere. @throws {STORE_UNREACHABLE} */
export async function refuseLinks(root: string, path: string): Promise<void> {
  for (let at = path; at.length > root.length; at = dirname(at)) {
    const real = await orAbsent(() => realpath(at))
    if (real === null) continue
    if (real === at) return
    throw new PipelineError('STORE_UNREACHABLE', 'a symbolic link leads out of the folder', {
      at,
      do: 'remove the link, or configure the folder it leads to',
    })
  }
}

export const tempFolderOf = (root: string): string => join(root, TEMP)
