import { openHttp } from './adapters/binance/http.js'
import { httpOptionsOf } from './compose-http.js'
import type { Services } from './compose-services.js'
import type { Config } from './config.js'
import { ownLake, refuseForeignStaging } from './workers/owner.js'

/** What keeps the catalog, for people; opens it. @throws {CATALOG_UNREACHABLE, EMBEDDED_FAILED} */
export async function describeCatalog(config: Config, services: Services): Promise<string> {
  const { pool } = await services.catalog()
  const { rows } = await pool.query<{ server_version: string }>('show server_version')
  const version = (rows[0]?.server_version ?? '').split(' ')[0] ?? ''
  if (config.databaseUrl === null) return `embedded Postgres ${version}`
  const { username, host } = new URL(config.databaseUrl)
  return `Postgres ${version} at ${username === '' ? '' : `${username}@`}${host}`
}

/** What carries the queues, for people; opens it. @throws {QUEUE_UNREACHABLE} */
export async function describeQueue(config: Config, services: Services): Promise<string> {
  const server = await (await services.backend()).describe()
  return config.queueUrl === null ? 'Postgres, in the catalog' : server
}

/** Looks at the markers of lake and staging, and writes none. @throws {LAKE_MISMATCH} when they name another catalog */
export async function askOwner(what: 'lake' | 'staging', services: Services): Promise<void> {
  const ports = await services.ownerPorts({ dryRun: true })
  if (what === 'lake') await ownLake(ports, { dryRun: true })
  else await refuseForeignStaging(await services.stagingStore(), ports)
}

/** Any answer of the archive will do; its Date header tells how wrong this clock is. @throws {ARCHIVE_UNREACHABLE} */
export async function askArchive(config: Config): Promise<{ readonly date: Date | null }> {
  const http = openHttp(config.archiveUrl, httpOptionsOf(config))
  try {
    const answer = await http.get({ path: '/', accept: [400, 403, 404], signal: AbortSignal.timeout(15_000) })
    await answer.body.dump()
    const at = Date.parse(answer.header('date') ?? '')
    return { date: Number.isNaN(at) ? null : new Date(at) }
  } finally {
    await http.close()
  }
}

/** Loads DuckDB and lets it answer; gives its name and version. */
export async function askEngine(): Promise<string> {
  const { openCandleReader } = await import('./adapters/query/candle-reader.js')
  const reader = openCandleReader({ memoryBytes: 128 * 1024 ** 2, tempBytes: 0, threads: 1 })
  try {
    const signal = new AbortController().signal
    const { frames } = await reader.run({ sql: 'SELECT version()', views: [], timeoutSeconds: 30, signal })
    let version = ''
    for await (const { values } of frames) version = String(values[0]?.[0])
    return `DuckDB ${version}`
  } finally {
    await reader.close()
  }
}
