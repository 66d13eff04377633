import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { DATABASE, PORT, ROLE } from './settings.js'

/** How to reach the server: give it to `pg` as it is, with `ssl: false`. `host` is the folder of the socket. */
export type Connection = {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  readonly password?: string
}

export type Answer =
  | { readonly is: 'ready' | 'starting' | 'absent' | 'gone' }
  | { readonly is: 'refused'; readonly cause: Error }

export const connectionTo = (socketDir: string, password: string): Connection => ({
  host: socketDir, port: PORT, user: ROLE, database: DATABASE, password,
})

/**
 * Asks until the server answers for good, `isAlive` says no (`gone`), it has been starting for `startingMs`
 * (`starting`; recovery after a crash counts as that), or nothing has listened for `absentMs` (`absent`).
 */
export async function waitUntilReady(o: {
  connection: Connection
  isAlive: () => boolean
  startingMs: number
  absentMs: number
}): Promise<Answer> {
  const began = Date.now()
  for (;;) {
    const answer = await askOnce(o.connection)
    if (answer.is === 'ready' || answer.is === 'refused') return answer
    if (!o.isAlive()) return { is: 'gone' }
    if (Date.now() - began > (answer.is === 'absent' ? o.absentMs : o.startingMs)) return answer
    await sleep(20)
  }
}

async function askOnce(connection: Connection): Promise<Answer> {
  // Every option that pg would otherwise take from PG* variables is given.
  const fixed = { ssl: false, options: '', connectionTimeoutMillis: 3_000, query_timeout: 3_000 }
  const client = new pg.Client({ ...connection, ...fixed })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('SELECT 1')
    return { is: 'ready' }
  } catch (e) {
    return answerOf(e as Error & { code?: string })
  } finally {
    await client.end().catch(() => undefined)
  }
}

function answerOf(cause: Error & { code?: string }): Answer {
  if (cause.code === '53300') return { is: 'ready' } // too many clients: it serves those
  if (cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED') return { is: 'absent' }
  const denied = ['28P01', '28000', '3D000', 'EACCES', 'EPERM'].includes(cause.code ?? '')
  return denied ? { is: 'refused', cause } : { is: 'starting' }
}
