import {
  chmod, constants, copyFile, lstat, mkdir, open, readdir, readlink, rename, rm, symlink,
} from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { SYSTEM_DIR, type Place } from './place.js'
import { platformPackage, type PlatformPackage } from './platform-package.js'
import { isRoot } from './server-user.js'
import { sweepUnfinished, unfinishedName } from './unfinished.js'

/** A folder whose `bin/postgres` and `bin/initdb` run as the server's user. */
export type ServerProgram = { readonly dir: string; readonly version: string; readonly major: number }

/**
 * The server's program, ready to run. Used where npm put it when that is complete; copied once a version
 * - as root, to a place that the server's user can read (the project may lie under a 0700 /root);
 * - after `npm install --ignore-scripts`, which leaves out the libraries' links: node_modules is not ours to mend.
 */
export async function serverProgram(place: Place): Promise<ServerProgram> {
  const pack = await platformPackage()
  if (!isRoot() && (await hasItsLinks(pack))) return { dir: pack.nativeDir, version: pack.version, major: pack.major }
  const dir = join(isRoot() ? SYSTEM_DIR : place.ownDir, `postgres-${pack.version}`)
  if (!(await exists(dir))) await copyProgram(pack, dir)
  return { dir, version: pack.version, major: pack.major }
}

const exists = (path: string): Promise<boolean> => lstat(path).then(() => true, () => false)

async function hasItsLinks(pack: PlatformPackage): Promise<boolean> {
  const found = await Promise.all(pack.links.map((l) => exists(join(pack.nativeDir, l.link))))
  return found.every(Boolean)
}

/** Copies beside the target and renames, so that a folder of that name is always complete. */
async function copyProgram(pack: PlatformPackage, dir: string): Promise<void> {
  await sweepUnfinished(dir)
  const fresh = unfinishedName(dir)
  try {
    await copyTree(pack.nativeDir, fresh)
    for (const { link, target } of pack.links) await linkOnce(join(fresh, link), basename(target))
    await rename(fresh, dir).catch(async (e: unknown) => {
      // Another process was faster: a folder of this name is complete.
      if (!(await exists(join(dir, 'bin', 'postgres')))) throw e
    })
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}

async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true })
  await chmod(to, 0o755)
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) await copyTree(source, target)
    else if (entry.isSymbolicLink()) await symlink(await readlink(source), target)
    // Static libraries serve compilers only.
    else if (extname(entry.name) !== '.a') await copyOne(source, target)
  }
}

async function copyOne(source: string, target: string): Promise<void> {
  await copyFile(source, target, constants.COPYFILE_FICLONE)
  // npm minds the umask; the server's user has to read all of it.
  await chmod(target, basename(dirname(target)) === 'bin' || target.includes('.so') ? 0o755 : 0o644)
  const file = await open(target, 'r')
  await file.sync().finally(() => file.close())
}

async function linkOnce(link: string, target: string): Promise<void> {
  if (!(await exists(link))) await symlink(target, link)
}
