import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../../..')

export type User = { readonly uid: number; readonly gid: number }

/** Somebody who is not root: as root the user `nobody`, else null, which is ourselves. */
export function ordinaryUser(): User | null {
  if (process.geteuid?.() !== 0) return null
  const id = (which: string): number => Number(execFileSync('id', [which, 'nobody'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

/** A checkout of this program that a user can run: this one where its files may be read, else a copy. */
export function checkoutFor(user: User | null): { readonly root: string; remove(): void } {
  if (user === null || spawnSync(process.execPath, [join(ROOT, 'bin/candlelake.js'), '--version'], { cwd: '/', ...user }).status === 0) {
    return { root: ROOT, remove: () => undefined }
  }
  const root = mkdtempSync(join(tmpdir(), 'candlelake-checkout-'))
  for (const part of ['package.json', 'bin', 'dist/src']) cpSync(join(ROOT, part), join(root, part), { recursive: true })
  mkdirSync(join(root, 'node_modules'))
  // Hard links where the file system allows them: the packages are some hundred MB.
  const packages = `${join(ROOT, 'node_modules')}/.`
  if (spawnSync('cp', ['-RLl', packages, join(root, 'node_modules')]).status !== 0) {
    execFileSync('cp', ['-RL', packages, join(root, 'node_modules')])
  }
  execFileSync('find', [root, '-type', 'd', '-exec', 'chmod', 'a+rx', '{}', '+'])
  execFileSync('chmod', ['-R', 'a+rX', join(root, 'package.json'), join(root, 'bin'), join(root, 'dist')])
  return { root, remove: () => rmSync(root, { recursive: true, force: true }) }
}
