import { stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { PipelineError } from '../../domain/errors.js'
import { runProgram, type ProgramRun, type ServerUser } from './run-program.js'

export const isRoot = (): boolean => process.geteuid?.() === 0

/**
 * Who the server runs as. PostgreSQL refuses root, so as root: the owner of the data when there is some, else
 * - `postgres`, which distributions keep for exactly this and whose members are trusted with databases already;
 * - `candlelake`, a system user without shell and home that is made when useradd is there (the node images, for one);
 * - `nobody`, which other daemons may share and who could then read the data: the last choice.
 * All have an entry in passwd, without which initdb refuses to work.
 * @throws {EMBEDDED_FAILED} when there is no such user
 */
export async function serverUserFor(dataDir: string): Promise<ServerUser> {
  if (!isRoot()) return null
  const owner = await stat(dataDir).then((s) => ({ uid: s.uid, gid: s.gid }), () => null)
  if (owner !== null && owner.uid !== 0) return owner
  const ofOurs = async (): Promise<ServerUser> => (await lookUp('candlelake')) ?? (await create())
  const user = (await lookUp('postgres')) ?? (await ofOurs()) ?? (await lookUp('nobody'))
  if (user !== null) return user
  throw new PipelineError('EMBEDDED_FAILED', 'PostgreSQL refuses to run as root, and there is no other user', {
    at: '/etc/passwd',
    do: 'create a system user named candlelake, run as an ordinary user, or set DATABASE_URL',
  })
}

/** @throws {EMBEDDED_FAILED} when this process runs under a user id that passwd does not know: initdb needs its name */
export function assertOurselvesNamed(): void {
  try {
    userInfo()
  } catch (cause) {
    const uid = process.geteuid?.() ?? -1
    throw new PipelineError('EMBEDDED_FAILED', `user id ${uid} has no entry in passwd, and PostgreSQL needs one`, {
      at: '/etc/passwd',
      do: 'run under a user with a name, or set DATABASE_URL',
    }, cause)
  }
}

async function lookUp(name: string): Promise<{ uid: number; gid: number } | null> {
  const uid = await idOf('-u', name)
  const gid = await idOf('-g', name)
  return uid === null || gid === null || uid === 0 ? null : { uid, gid }
}

async function idOf(which: '-u' | '-g', name: string): Promise<number | null> {
  const { code, output } = await runAsRoot('id', [which, name])
  return code === 0 ? Number(output.trim()) : null
}

async function create(): Promise<{ uid: number; gid: number } | null> {
  const nowhere = ['--no-create-home', '--home-dir', '/nonexistent', '--shell', '/usr/sbin/nologin']
  // Without useradd, or when another process was faster, the look-up decides.
  await runAsRoot('useradd', ['--system', '--user-group', ...nowhere, 'candlelake']).catch(() => null)
  return lookUp('candlelake')
}

const runAsRoot = (file: string, args: readonly string[]): Promise<ProgramRun> =>
  runProgram({ file, args, cwd: '/', user: null, timeoutMs: 10_000 })
