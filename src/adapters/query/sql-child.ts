import type { DuckDBConnection, DuckDBInstance, DuckDBValue } from '@duckdb/node-api'
import { StatementType, timestampTZValue } from '@duckdb/node-api'
import { rmSync } from 'node:fs'
import { PipelineError } from '../../domain/errors.js'
import type { Answer, FileView, Frame } from '../../domain/ports/query-engine.js'
import { queryFailure, refused } from './duckdb-failure.js'
import { answerOf } from './result-frames.js'
import { filePartOf, scansOf } from './scan-plan.js'
import { checkSelect } from './select-check.js'
import { createEmpty, createView, literal, lock, openInstance, tablesOf } from './session.js'
import { toldError, type Asked, type ChildOptions, type Told } from './sql-messages.js'

/*
 * The process that one question of anybody's SQL is answered in. It ends with its parent. DuckDB's own limit does not
 * count all memory that a statement can take, so the process also looks at its size.
 */
const { limits, tempDir } = JSON.parse(process.argv[2] ?? '{}') as ChildOptions
const WATCH_MS = 50
const ROOM_BYTES = 256 * 1024 ** 2
/** Bad for a plan: both depend on data, and the tables of a plan are empty. */
const PLAN_WITHOUT = 'statistics_propagation,late_materialization'

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
process.on('disconnect', () => {
  rmSync(tempDir, { recursive: true, force: true })
  process.kill(process.pid, 'SIGKILL')
})
setInterval(() => {
  if (process.memoryUsage.rss() <= limits.memoryBytes * 1.25 + ROOM_BYTES) return
  const facts = { at: 'the query', do: 'ask for less at a time, or raise QUERY_MEMORY_BYTES' }
  tell(toldError(new PipelineError('QUERY_MEMORY', 'the question took more memory than it may', facts)))
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), WATCH_MS)
}, WATCH_MS)

function tell(told: Told): void {
  process.send?.(told, () => undefined)
}

type Question = Extract<Asked, { kind: 'plan' }>
type Planned = Omit<Extract<Told, { kind: 'planned' }>, 'kind'>
let question: Question | null = null
let frames: AsyncIterator<Frame> | null = null

process.on('message', (asked: Asked) => {
  void answer(asked).then(tell, (thrown: unknown) => tell(toldError(queryFailure(thrown))))
})

async function answer(asked: Asked): Promise<Told> {
  switch (asked.kind) {
    case 'plan':
      question = asked
      return { kind: 'planned', ...(await plan(asked)) }
    case 'httpfs':
      return { kind: 'loaded', problem: await loadHttpfs(asked.extensionDir) }
    case 'fetched':
      return { kind: 'sum', ...(await fetched()) }
    case 'run': {
      const { columns, frames: all } = await run(question, asked.views)
      frames = all[Symbol.asyncIterator]()
      return { kind: 'columns', columns }
    }
    case 'next': {
      const step = await frames?.next()
      return { kind: 'frame', frame: step && step.done !== true ? step.value : null }
    }
  }
}

/** In a DuckDB that can reach nothing, over tables without rows: binding a statement may already open files. */
async function plan({ sql, params, numericType, files }: Question): Promise<Planned> {
  const instance = await openInstance(limits, { tempDir: null, external: false })
  try {
    const connection = await instance.connect()
    await connection.run(`SET TimeZone = 'UTC'`)
    for (const table of tablesOf(files, numericType)) await createEmpty(connection, table)
    await connection.run(`SET disabled_optimizers = ${literal(PLAN_WITHOUT)}`)
    await connection.run('SET lock_configuration = true')
    checkSelect(await textOf(connection, `SELECT json_serialize_sql(${literal(sql)})`))
    await prepareOne(connection, sql, [])
    const explain = await prepareOne(connection, `EXPLAIN (FORMAT json) ${sql}`, params)
    const explained = String((await explain.runAndReadAll()).getRows()[0]?.[1])
    const names = files?.map(({ name }) => name)
    return { scans: scansOf(explained), wanted: names ? filePartOf(explained, names) : null }
  } finally {
    instance.closeSync()
  }
}

async function textOf(connection: DuckDBConnection, sql: string): Promise<string> {
  return String((await connection.runAndReadAll(sql)).getRows()[0]?.[0])
}

let extended: DuckDBInstance | null = null

/** Before the lock: nothing can be loaded behind it. A file that is missing, of another version or unsigned is none. */
async function loadHttpfs(extensionDir: string): Promise<string | null> {
  const instance = await openInstance(limits, { tempDir, external: true, extensionDir })
  try {
    const connection = await instance.connect()
    await connection.run('LOAD httpfs')
    await connection.run(`CALL enable_logging('HTTP')`)
    extended = instance
    return null
  } catch (thrown) {
    instance.closeSync()
    return queryFailure(thrown).message
  }
}

/** By DuckDB's own log, which lies in memory. */
async function fetched(): Promise<{ requests: number; bytesRead: number }> {
  const connection = await extended?.connect()
  const counted = await connection?.runAndReadAll(`SELECT count(*)::INTEGER, coalesce(sum(list_sum(
      [TRY_CAST(one.value AS BIGINT) for one in map_entries(response.headers) if lower(one.key) = 'content-length']))
    FILTER (WHERE request.type = 'GET'), 0)::DOUBLE FROM duckdb_logs_parsed('HTTP')`)
  const [[requests, bytesRead] = []] = counted?.getRows() ?? []
  return { requests: Number(requests ?? 0), bytesRead: Number(bytesRead ?? 0) }
}

async function run(asked: Question | null, views: readonly FileView[]): Promise<Answer> {
  if (!asked) throw new PipelineError('UNEXPECTED', 'an answer was asked for before its question')
  const { sql, params, numericType, files } = asked
  const connection = await (extended ?? (await openInstance(limits, { tempDir, external: true }))).connect()
  await connection.run(`SET TimeZone = 'UTC'`)
  await connection.run(`SET disabled_optimizers = 'late_materialization'`)
  for (const table of tablesOf(files, numericType)) {
    const view = views.find((one) => one.dataset === table.dataset)
    if (view && view.paths.length > 0) await createView(connection, view)
    else await createEmpty(connection, table)
  }
  await lock(
    connection,
    views.flatMap(({ paths }) => paths),
  )
  const prepared = await prepareOne(connection, sql, params)
  const result = await prepared.stream()
  return answerOf(result, () => result.fetchChunk())
}

async function prepareOne(connection: DuckDBConnection, sql: string, params: readonly unknown[]) {
  const statements = await connection.extractStatements(sql)
  if (statements.count !== 1) throw refused('one statement is answered at a time')
  const prepared = await statements.prepare(0)
  const { statementType } = prepared
  if (statementType !== StatementType.SELECT && statementType !== StatementType.EXPLAIN)
    throw refused('only SELECT is answered')
  if (params.length > 0) prepared.bind(params.map(bindable))
  return prepared
}

/** A Date is an instant. */
const bindable = (value: unknown): DuckDBValue =>
  value instanceof Date ? timestampTZValue(BigInt(value.getTime()) * 1_000n) : (value as DuckDBValue)
