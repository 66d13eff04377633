import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { PROJECT } from './holder.js'

const PARTS = ['dist/src/adapters/embedded-postgres', 'dist/src/domain', 'dist/test/integration/embedded-postgres']

/** An installed project in `dir` with what the embedded database needs; `links`: as npm leaves it with its scripts. */
export function copyProject(dir: string, o: { links: boolean }): string {
  for (const part of PARTS) cpSync(join(PROJECT, part), join(dir, part), { recursive: true })
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}')
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`
  for (const [name, from] of packagesOf(['pg', 'embedded-postgres', platform])) {
    cpSync(from, join(dir, 'node_modules', name), { recursive: true, dereference: false, verbatimSymlinks: true })
  }
  setLinks(join(dir, 'node_modules', platform), o.links)
  execFileSync('chmod', ['-R', 'a+rX', dir])
  chmodSync(dir, 0o755)
  return dir
}

/** The packages and what they depend on: name to folder. */
function packagesOf(names: readonly string[], found = new Map<string, string>()): Map<string, string> {
  for (const name of names) {
    const from = folderOf(name)
    if (from === null || found.has(name)) continue
    found.set(name, from)
    const { dependencies } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8')) as { dependencies?: object }
    packagesOf(Object.keys(dependencies ?? {}), found)
  }
  return found
}

function folderOf(name: string): string | null {
  const paths = createRequire(import.meta.url).resolve.paths(name) ?? []
  return paths.map((path) => join(path, name)).find((path) => existsSync(join(path, 'package.json'))) ?? null
}

function setLinks(pack: string, wanted: boolean): void {
  const listed = readFileSync(join(pack, 'native/pg-symlinks.json'), 'utf8')
  for (const { source, target } of JSON.parse(listed) as { source: string; target: string }[]) {
    rmSync(join(pack, target), { force: true })
    mkdirSync(dirname(join(pack, target)), { recursive: true })
    if (wanted) symlinkSync(basename(source), join(pack, target))
  }
}
