import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { isRunning } from './cli.js'

/** Where root's embedded databases lie. */
const SYSTEM_DIR = '/var/lib/candlelake/embedded'

/** The folder of a home's embedded database; null where the home has none. */
export function embeddedDataOf(home: string): string | null {
  const path = join(home, 'postgres', 'location.json')
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { dataDir: string }).dataDir : null
}

/** The process of a home's embedded server, or null when none runs. */
export function embeddedPidOf(home: string): number | null {
  const dataDir = embeddedDataOf(home)
  if (dataDir === null || !existsSync(join(dataDir, 'postmaster.pid'))) return null
  const pid = Number(readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n')[0])
  return isRunning(pid) ? pid : null
}

/** Homes, below a folder, whose database is still on this machine although the folder is gone or was to be. */
export const embeddedLeftOf = (folder: string): string[] =>
  (existsSync(SYSTEM_DIR) ? readdirSync(SYSTEM_DIR) : [])
    .map((id) => join(SYSTEM_DIR, id, 'home')).filter((path) => existsSync(path))
    .filter((path) => readFileSync(path, 'utf8').startsWith(folder))

/** One query on a home's running embedded server, as one more client of it. */
export async function askEmbedded<T extends pg.QueryResultRow>(home: string, query: string): Promise<T[]> {
  const socket = readFileSync(join(embeddedDataOf(home) ?? '', 'postmaster.pid'), 'utf8').split('\n')[4] ?? ''
  const password = readFileSync(join(home, 'postgres', 'password'), 'utf8').trim()
  const client = new pg.Client({ host: socket, user: 'candlelake', database: 'candlelake', password, ssl: false, application_name: 'test' })
  await client.connect()
  try {
    return (await client.query<T>(query)).rows
  } finally {
    await client.end()
  }
}

/** How many partitions of a home are in which state, read from its catalog: cheap enough to wait with. */
export async function statesOf(home: string): Promise<Readonly<Record<string, number>>> {
  const rows = await askEmbedded<{ state: string; n: number }>(home, 'select state, count(*)::int as n from candlelake.partitions group by state')
  return Object.fromEntries(rows.map(({ state, n }) => [state, n]))
}
