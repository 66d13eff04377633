import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PipelineError } from '../../domain/errors.js'
import { createCluster, passwordOf, setPassword } from './create-cluster.js'
import { embeddedFailure } from './failure.js'
import type { Holders } from './holders.js'
import type { Place } from './place.js'
import { isPostmasterOf, postmasterOf, stopPostmaster, type Postmaster } from './postmaster.js'
import { connectionTo, waitUntilReady, type Answer, type Connection } from './probe-server.js'
import { serverProgram } from './server-program.js'
import { isRoot, serverUserFor } from './server-user.js'
import { startServer, type Tools } from './start-server.js'
import { sweepAbandoned } from './sweep-abandoned.js'
import { sweepUnfinished } from './unfinished.js'

export type Running = { readonly pid: number; readonly connection: Connection; readonly adopted: boolean }
type Log = (line: string) => void
type Adopting = { readonly place: Place; readonly others: Holders; readonly log: Log }

/**
 * A server that answers, adopted or started, its data made first when there are none. Call it under the home's lock.
 * `others` are the holders besides the caller.
 * @throws {EMBEDDED_MAJOR} when the data are of another major version; nothing is touched
 */
export async function ensureRunning(o: Adopting): Promise<Running> {
  const { place, log } = o
  const program = await serverProgram(place)
  const dataMajor = await majorOf(place.dataDir)
  if (dataMajor !== null && dataMajor !== program.major) throw otherMajor(place, dataMajor, program.major)
  const adopted = await adopt(o)
  if (adopted !== null) return adopted
  refuseOtherHosts(place, o.others)
  const tools: Tools = { place, program, user: await serverUserFor(place.dataDir) }
  await sweepUnfinished(place.dataDir)
  if (dataMajor === null) {
    if (isRoot()) await sweepAbandoned(place, log)
    log(`creating the embedded database in ${place.dataDir}`)
    await createCluster(tools)
  }
  return start(tools, log)
}

async function majorOf(dataDir: string): Promise<number | null> {
  const text = await readFile(join(dataDir, 'PG_VERSION'), 'utf8').catch((e: NodeJS.ErrnoException) => {
    if (e.code === 'ENOENT') return null
    throw e
  })
  return text === null ? null : Number.parseInt(text, 10)
}

async function start(tools: Tools, log: Log): Promise<Running> {
  const began = Date.now()
  const first = await startServer(tools)
  if (first.answer.is === 'ready') {
    log(`started the embedded database in ${Date.now() - began} ms`)
    return { ...first, adopted: false }
  }
  log('the embedded database refuses its password: setting a new one')
  await stopPostmaster(tools.place.dataDir, first.pid)
  await setPassword(tools)
  const second = await startServer(tools)
  if (second.answer.is === 'ready') return { ...second, adopted: false }
  await stopPostmaster(tools.place.dataDir, second.pid)
  throw refused(tools.place, second.answer)
}

/** The server that runs there already; null when none does any more. */
async function adopt(o: Adopting): Promise<Running | null> {
  const { place, log } = o
  const running = await postmasterOf(place.dataDir)
  if (running === null) return null
  const password = await passwordOf(place)
  const connection = connectionTo(running.socketDir, password ?? '')
  const isAlive = (): boolean => isPostmasterOf(place.dataDir, running.pid)
  const answer = await waitUntilReady({ connection, isAlive, startingMs: 60_000, absentMs: 10_000 })
  if (answer.is === 'ready') {
    log(`using the embedded database that runs already, process ${running.pid}`)
    return { pid: running.pid, connection, adopted: true }
  }
  if (answer.is !== 'gone') await stopUseless(o, running, answer)
  return null
}

/** Its socket was deleted (cleaners of /tmp do that) or its password lost: only a new start helps. */
async function stopUseless(o: Adopting, running: Postmaster, answer: Answer): Promise<void> {
  const { place, others, log } = o
  if (answer.is === 'starting') {
    const text = `the embedded PostgreSQL, process ${running.pid}, is still starting or stopping after 60 s`
    throw embeddedFailure(text, { at: place.dataDir, do: 'it may be recovering: run the command again' })
  }
  // Who holds a share still works over the connections it has.
  if (answer.is === 'refused' && others.here.length > 0) throw refused(place, answer)
  log(`the embedded database, process ${running.pid}, cannot be reached: starting it again`)
  await stopPostmaster(place.dataDir, running.pid)
}

function refused(place: Place, answer: Answer): PipelineError {
  return embeddedFailure('the embedded PostgreSQL refuses our connection', {
    at: place.dataDir,
    do: 'end every candlelake process of this home, then run the command again',
    ...(answer.is === 'refused' ? { cause: answer.cause } : {}),
  })
}

function refuseOtherHosts(place: Place, others: Holders): void {
  const host = others.elsewhere[0]
  if (host === undefined) return
  throw new PipelineError('EMBEDDED_FAILED', `host ${host} uses the embedded database of this home`, {
    at: place.home,
    host,
    do: 'use one host, or set DATABASE_URL to a server that all can reach; a host that died is forgotten after 90 s',
  })
}

function otherMajor(place: Place, dataMajor: number, programMajor: number): PipelineError {
  const text = `the data are PostgreSQL ${dataMajor}'s and this program brings PostgreSQL ${programMajor}`
  return new PipelineError('EMBEDDED_MAJOR', text, {
    at: place.dataDir,
    dataMajor,
    programMajor,
    do: [
      'with the candlelake version that made them, keep a command running and dump: ' +
        `PGPASSWORD="$(cat '${place.passwordFile}')" ` +
        `pg_dump -h '${place.socketDir}' -U candlelake candlelake > dump.sql`,
      `end it and move ${place.dataDir} away`,
      'with this version, keep a command running and restore: the same with psql instead of pg_dump',
    ].map((step, i) => `${i + 1}. ${step}`).join('\n'),
  })
}
