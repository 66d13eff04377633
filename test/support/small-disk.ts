import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { tempFolder } from './temp-folder.js'

const run = promisify(execFile)
const isRoot = (): boolean => process.getuid?.() === 0

export type SmallDisk = { readonly path: string; readOnly(): Promise<void>; unmount(): Promise<void> }

/** A file system of so many kibibytes in a new folder, for tests of a full disk. Fails where it cannot mount. */
export async function mountSmallDisk(kib: number): Promise<SmallDisk> {
  const folder = await tempFolder()
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${kib}k`, 'tmpfs', folder.path])
  } catch (thrown) {
    await folder.remove()
    throw new Error('a test of a full disk mounts a small tmpfs, which needs root on Linux', { cause: thrown })
  }
  const readOnly = async (): Promise<void> => void (await run('mount', ['-o', 'remount,bind,ro', folder.path]))
  const unmount = async (): Promise<void> => {
    // Lazily: a file that a failed test left open must not keep the mount.
    await run('umount', ['-l', folder.path])
    await rm(folder.path, { recursive: true, force: true })
  }
  return { path: folder.path, readOnly, unmount }
}

/**
 * A suite that mounts. Root runs it here; anyone else runs it as one test in a child that is root of its own user
 * namespace, which fails, loudly, where the kernel does not allow those.
 */
export function describeWithMounts(title: string, file: string, suite: () => void): void {
  if (isRoot()) {
    describe(title, suite)
    return
  }
  it(`${title} (in a user namespace)`, async function () {
    this.timeout(60_000)
    const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js')
    const args = ['--user', '--map-root-user', '--mount', process.execPath, mocha, '--forbid-pending', '--fgrep', title]
    await run('unshare', [...args, '--fail-zero', fileURLToPath(file)]).catch((thrown: unknown) => {
      const output = thrown instanceof Error && 'stdout' in thrown ? String(thrown.stdout) : ''
      throw new Error(`without root this needs user namespaces (unshare --user): ${output}`, { cause: thrown })
    })
  })
}
