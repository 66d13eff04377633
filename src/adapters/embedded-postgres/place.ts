import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, realpath, rename, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { PipelineError } from '../../domain/errors.js'
import { readmeOf } from './readme.js'
import { isRoot } from './server-user.js'

/** Where root's databases and copies of the server lie: readable by the user that the server runs as. */
export const SYSTEM_DIR = '/var/lib/candlelake'

/** A socket's address holds 104 bytes on macOS, 108 on Linux, its ending zero included. */
const SOCKET_PATH_MAX = 103
const SOCKET_NAME = '/.s.PGSQL.5432'

/** What lies in every home, whoever runs: known before the lock is taken. */
export type HomeDirs = {
  readonly home: string
  readonly ownDir: string
  readonly lockDir: string
  readonly holdersDir: string
  readonly passwordFile: string
}

/** Where the server of one home keeps its things. */
export type Place = HomeDirs & {
  readonly id: string
  readonly baseDir: string
  readonly dataDir: string
  readonly socketDir: string
}

type Location = { readonly v: 1; readonly id: string; readonly home: string; readonly dataDir: string }

export const systemBaseDir = (id: string): string => join(SYSTEM_DIR, 'embedded', id)

/**
 * The folders of a home, made when absent.
 * @throws {EMBEDDED_FAILED} when another user made this home's database
 */
export async function openHome(home: string): Promise<HomeDirs> {
  await mkdir(resolve(home), { recursive: true, mode: 0o700 })
  const real = await realpath(home)
  const ownDir = join(real, 'postgres')
  await mkdir(ownDir, { recursive: true, mode: 0o700 })
  const { uid } = await stat(ownDir)
  const me = process.geteuid?.() ?? uid
  if (uid !== me) {
    throw new PipelineError('EMBEDDED_FAILED', `user ${uid} made the database of this home, and this is user ${me}`, {
      at: ownDir,
      do: `run as user ${uid} (sudo -u '#${uid}' …), or choose another CANDLELAKE_HOME`,
    })
  }
  return dirsOf(real)
}

export function dirsOf(home: string): HomeDirs {
  const ownDir = join(home, 'postgres')
  const inOwn = (name: string): string => join(ownDir, name)
  return { home, ownDir, lockDir: inOwn('lock'), holdersDir: inOwn('holders'), passwordFile: inOwn('password') }
}

/** Where the home's database lies or will lie; call it under the home's lock. Makes the folders around it. */
export async function placeIn(dirs: HomeDirs): Promise<Place> {
  const known = await locationOf(dirs.home)
  const id = known === null ? newId() : await idAfterMove(known, dirs.home)
  const baseDir = isRoot() ? systemBaseDir(id) : dirs.ownDir
  const place = { ...dirs, id, baseDir, dataDir: join(baseDir, 'data'), socketDir: socketDirOf(baseDir, id) }
  if (isRoot()) await makeSystemDirs(place)
  if (known?.home !== dirs.home || known.id !== id) await writeLocation(place)
  return place
}

/** What a home's `location.json` says, or null. */
export async function locationOf(home: string): Promise<{ id: string; home: string } | null> {
  try {
    const read = JSON.parse(await readFile(join(home, 'postgres', 'location.json'), 'utf8')) as Partial<Location>
    const { id = '', home: path } = read
    return typeof path === 'string' && /^[0-9a-f]{12}$/.test(id) ? { id, home: path } : null
  } catch {
    return null
  }
}

const newId = (): string => randomBytes(6).toString('hex')

/** The id names the home, not its path: a home that was deleted and made again must not find the old database. */
async function idAfterMove(known: { id: string; home: string }, home: string): Promise<string> {
  if (known.home === home || (await locationOf(known.home))?.id !== known.id) return known.id
  if (!isRoot()) return newId()
  throw new PipelineError('EMBEDDED_FAILED', `${home} is a copy of ${known.home}, and its database was not copied`, {
    at: home,
    do: `remove ${join(home, 'postgres')} to start with an empty database there`,
  })
}

function socketDirOf(baseDir: string, id: string): string {
  // Commas and quotes mean something in unix_socket_directories.
  const isShort = (dir: string): boolean => Buffer.byteLength(dir + SOCKET_NAME) <= SOCKET_PATH_MAX
  const fits = (dir: string): boolean => isShort(dir) && /^[\w./-]+$/.test(dir)
  const apart = `candlelake-${process.geteuid?.() ?? 0}-${id}`
  // Not /run/user/<uid>: it goes away when the person logs out, and the server stays.
  const choices = [join(baseDir, 'socket'), join(tmpdir(), apart)]
  return choices.find(fits) ?? join('/tmp', apart)
}

async function makeSystemDirs(place: Place): Promise<void> {
  for (const dir of [SYSTEM_DIR, join(SYSTEM_DIR, 'embedded'), place.baseDir]) {
    await mkdir(dir, { recursive: true })
    // mkdir minds the umask, and the server's user has to pass through.
    await chmod(dir, 0o755)
  }
  await writeFile(join(place.baseDir, 'home'), `${place.home}\n`)
}

async function writeLocation(place: Place): Promise<void> {
  const location: Location = { v: 1, id: place.id, home: place.home, dataDir: place.dataDir }
  const path = join(place.ownDir, 'location.json')
  await writeFile(join(place.ownDir, 'README'), readmeOf(place))
  await writeFile(`${path}.new`, `${JSON.stringify(location, null, 2)}\n`)
  await rename(`${path}.new`, path)
}
