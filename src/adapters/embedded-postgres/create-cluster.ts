import { randomBytes } from 'node:crypto'
import { chown, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { embeddedFailure } from './failure.js'
import type { Place } from './place.js'
import { runProgram, type ServerUser } from './run-program.js'
import type { ServerProgram } from './server-program.js'
import { assertOurselvesNamed } from './server-user.js'
import { DATABASE, ROLE, SUPERUSER } from './settings.js'
import { unfinishedName } from './unfinished.js'

type Tools = { readonly place: Place; readonly program: ServerProgram; readonly user: ServerUser }

/**
 * Makes the data directory with its role and database. It is made beside its final name, synced and renamed:
 * a data directory that exists is complete, wherever the work was cut off.
 */
export async function createCluster(o: Tools): Promise<void> {
  const { dataDir } = o.place
  if (o.user === null) assertOurselvesNamed()
  const fresh = unfinishedName(dataDir)
  try {
    await mkdir(fresh, { mode: 0o700 })
    if (o.user !== null) await chown(fresh, o.user.uid, o.user.gid)
    await initdb(o, fresh, initdbArguments)
    await setPassword(o, fresh, [`CREATE ROLE ${ROLE} LOGIN CREATEDB`, `CREATE DATABASE ${DATABASE} OWNER ${ROLE}`])
    // One sync of everything instead of one at each step.
    await initdb(o, fresh, ['--sync-only'])
    await rename(fresh, dataDir)
    await syncDir(dirname(dataDir))
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}

/** The password of our role, or null when the file is not there. */
export async function passwordOf(place: Place): Promise<string | null> {
  const text = await readFile(place.passwordFile, 'utf8').catch((e: NodeJS.ErrnoException) => {
    if (e.code === 'ENOENT') return ''
    throw e
  })
  return text.trim() === '' ? null : text.trim()
}

/** Gives our role a new password; the server must not run. `first` are statements to run before. */
export async function setPassword(o: Tools, dataDir = o.place.dataDir, first: readonly string[] = []): Promise<void> {
  const password = randomBytes(24).toString('hex')
  const path = o.place.passwordFile
  await writeFile(`${path}.new`, `${password}\n`, { mode: 0o600 })
  // Through the input of a server without clients: no password on a command line or in a file of another's.
  await runStatements(o, dataDir, [...first, `ALTER ROLE ${ROLE} PASSWORD '${password}'`])
  await rename(`${path}.new`, path)
}

// Sorted by code point with PostgreSQL's own tables: the order never changes with the operating system's locales.
const initdbArguments = [
  '--no-sync', '--no-instructions', '--encoding=UTF8', '--locale=C', '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8', `--username=${SUPERUSER}`, '--auth-local=reject', '--auth-host=reject',
] as const

async function initdb(o: Tools, dataDir: string, args: readonly string[]): Promise<void> {
  const file = join(o.program.dir, 'bin', 'initdb')
  const all = ['-D', dataDir, ...args]
  const { code, output } = await runProgram({ file, args: all, cwd: dataDir, user: o.user, timeoutMs: 120_000 })
  if (code !== 0) throw embeddedFailure('initdb failed', { at: o.place.dataDir, output })
}

async function runStatements(o: Tools, dataDir: string, statements: readonly string[]): Promise<void> {
  const file = join(o.program.dir, 'bin', 'postgres')
  // Without exit_on_error it carries on and ends well; log_min_error_statement would show a failing one, password too.
  const args = ['--single', '-c', 'exit_on_error=on', '-c', 'log_min_error_statement=panic', '-D', dataDir, 'postgres']
  const stdin = statements.map((s) => `${s};\n`).join('')
  const { code, output } = await runProgram({ file, args, cwd: dataDir, user: o.user, stdin, timeoutMs: 120_000 })
  if (code !== 0) throw embeddedFailure('the database cannot be prepared', { at: o.place.dataDir, output })
}

async function syncDir(path: string): Promise<void> {
  const dir = await open(path, 'r')
  await dir.sync().finally(() => dir.close())
}
