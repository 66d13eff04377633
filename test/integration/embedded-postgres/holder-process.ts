/**
 * A process of its own that holds a share: `node holder-process.js <home> [ignore-sigint] [secretive]`.
 * Reads commands from its input, one a line; answers each with one line of JSON.
 */
import { createInterface } from 'node:readline'
import pg from 'pg'
import {
  acquireEmbeddedPostgres, removeEmbeddedPostgres, stopEmbeddedPostgres, type EmbeddedPostgres,
} from '../../../src/adapters/embedded-postgres/embedded-postgres.js'
import { PipelineError } from '../../../src/domain/errors.js'

const [home = '', ...modes] = process.argv.slice(2)
if (modes.includes('ignore-sigint')) process.on('SIGINT', () => undefined)
if (modes.includes('secretive')) process.umask(0o077)

let held: EmbeddedPostgres | null = null
const lines: string[] = []

const commands: Readonly<Record<string, () => Promise<unknown>>> = {
  async acquire() {
    held = await acquireEmbeddedPostgres({ home, log: (line) => lines.push(line) })
    return { adopted: held.adopted, dataDir: held.dataDir, connection: held.connection, lines }
  },
  async query() {
    const client = new pg.Client({ ...held?.connection, ssl: false })
    await client.connect()
    try {
      const { rows } = await client.query<Record<string, string>>(
        `SELECT current_database() AS database, current_user AS role, current_setting('TimeZone') AS zone,
                current_setting('server_encoding') AS encoding, current_setting('listen_addresses') AS listens,
                current_setting('fsync') AS fsync, pg_get_userbyid(datdba) AS owner
           FROM pg_database WHERE datname = current_database()`,
      )
      return rows[0]
    } finally {
      await client.end()
    }
  },
  /** Acquires, queries and releases four times. */
  async churn() {
    for (let i = 0; i < 4; i++) {
      await commands['acquire']?.()
      await commands['query']?.()
      await held?.release()
    }
    return 'done'
  },
  async release() {
    await held?.release()
    return 'released'
  },
  stop: () => stopEmbeddedPostgres({ home }),
  remove: () => removeEmbeddedPostgres({ home }),
  user: () => Promise.resolve({ uid: process.geteuid?.() }),
}

for await (const name of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await outcomeOf(name)))
}

async function outcomeOf(name: string): Promise<object> {
  try {
    return { ok: await commands[name]?.() }
  } catch (e) {
    if (e instanceof PipelineError) return { error: { code: e.code, message: e.message, facts: e.facts } }
    return { error: { code: 'UNCODED', message: String(e), facts: {} } }
  }
}
