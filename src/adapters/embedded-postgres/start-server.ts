import { spawn } from 'node:child_process'
import { chown, lstat, mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { PipelineError } from '../../domain/errors.js'
import { passwordOf, setPassword } from './create-cluster.js'
import { embeddedFailure } from './failure.js'
import type { Place } from './place.js'
import { endLeftBehind, postmasterFileOf } from './postmaster.js'
import { connectionTo, waitUntilReady, type Answer, type Connection } from './probe-server.js'
import { isTaken } from './process-token.js'
import { PROGRAM_ENV, type ServerUser } from './run-program.js'
import { openServerLog, readServerLog } from './server-log.js'
import type { ServerProgram } from './server-program.js'
import { PORT, serverArguments, writeHbaFile } from './settings.js'

const START_MS = 60_000

export type Tools = { readonly place: Place; readonly program: ServerProgram; readonly user: ServerUser }
export type Started = { readonly pid: number; readonly connection: Connection; readonly answer: Answer }

/**
 * Starts the server on a data directory that no server serves; gives its answer, `ready` or `refused`.
 * @throws {EMBEDDED_FAILED} with the last lines of its log
 * @throws {DISK_FULL} when the log says so
 */
export async function startServer(o: Tools): Promise<Started> {
  const { place, user } = o
  await clearAfterCrash(place)
  await makeSocketDir(place, user)
  await writeHbaFile(place)
  if ((await passwordOf(place)) === null) await setPassword(o)
  const connection = connectionTo(place.socketDir, (await passwordOf(place)) ?? '')
  const logStart = await stat(join(place.dataDir, 'server.log')).then((s) => s.size, () => 0)
  const server = await spawnServer(o)
  const answer = await waitUntilReady({ connection, isAlive: server.isAlive, startingMs: START_MS, absentMs: START_MS })
  if (answer.is === 'ready' || answer.is === 'refused') return { pid: server.pid, connection, answer }
  throw embeddedFailure(whyNotReady(answer), {
    at: place.dataDir,
    output: await readServerLog(place.dataDir, logStart),
    do: answer.is === 'gone' ? `read ${join(place.dataDir, 'server.log')}` : 'it may be recovering: run it again',
  })
}

const whyNotReady = (answer: Answer): string =>
  answer.is === 'gone'
    ? 'the embedded PostgreSQL ended as it started'
    : `the embedded PostgreSQL did not answer within ${START_MS / 1000} s`

/**
 * Spawned as the leader of a session of its own, without terminal or pipes to us: Ctrl-C and our end do not reach it.
 * Not through `pg_ctl start`: it puts the paths into a shell command, where a `$` or a quote in a folder's name
 * runs or breaks it, and it looks for the outcome only every 100 ms.
 */
async function spawnServer(o: Tools): Promise<{ pid: number; isAlive: () => boolean }> {
  const { place, user } = o
  const log = await openServerLog(place.dataDir, user)
  try {
    const child = spawn(join(o.program.dir, 'bin', 'postgres'), serverArguments(place), {
      cwd: place.dataDir, env: PROGRAM_ENV, detached: true, stdio: ['ignore', log.fd, log.fd], ...(user ?? {}),
    })
    child.unref()
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject))
    return { pid: child.pid ?? 0, isAlive: () => child.exitCode === null && child.signalCode === null }
  } catch (cause) {
    throw embeddedFailure('the embedded PostgreSQL cannot be run', { at: o.program.dir, cause })
  } finally {
    await log.close()
  }
}

/**
 * A killed server leaves processes, its pid file and its socket's lock. PostgreSQL minds these files if their pid is
 * taken, and then refuses to start, whoever has it by now, also a dead server that nobody has waited for yet (containers
 * without an init); nobody serves this directory, so they say nothing.
 */
async function clearAfterCrash(place: Place): Promise<void> {
  await endLeftBehind(place.dataDir)
  const left = await postmasterFileOf(place.dataDir)
  if (left !== null && isTaken(left.pid)) await rm(join(place.dataDir, 'postmaster.pid'), { force: true })
  for (const ending of ['.lock', '']) await rm(join(place.socketDir, `.s.PGSQL.${PORT}${ending}`), { force: true })
}

async function makeSocketDir(place: Place, user: ServerUser): Promise<void> {
  const made = await mkdir(place.socketDir, { mode: 0o700 }).then(() => true, (e: NodeJS.ErrnoException) => {
    if (e.code === 'EEXIST') return false
    throw e
  })
  if (made && user !== null) await chown(place.socketDir, user.uid, user.gid)
  const found = await lstat(place.socketDir)
  const uid = user?.uid ?? process.geteuid?.()
  // Under /tmp anyone could have made it first.
  if (found.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0) return
  throw new PipelineError('EMBEDDED_FAILED', `${place.socketDir} is not a private folder of user ${uid ?? 'this'}`, {
    at: place.socketDir,
    do: 'remove it',
  })
}
