import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance, StatementType, type DuckDBConnection, type DuckDBValue } from '@duckdb/node-api'
import { DATASETS } from '../../domain/dataset.js'
import { PipelineError } from '../../domain/errors.js'

/** Rows as they print: numbers, text, ISO instants, null. */
export type SqlRows = { readonly columns: readonly string[]; readonly rows: readonly (readonly unknown[])[] }

/**
 * Answers one SELECT over a lake in a folder. Every dataset with data is a view: `spot_klines` over `spot-klines/…`.
 * DuckDB may read below the folder only, load nothing and change no setting; writing is refused, since
 * `allowed_directories` alone would allow it inside the lake.
 * @throws {BAD_USAGE} for anything but one SELECT, and for SQL that fails
 */
export async function querySql(lakeDir: string, select: string): Promise<SqlRows> {
  const instance = await DuckDBInstance.create(':memory:', { autoinstall_known_extensions: 'false' })
  try {
    const connection = await instance.connect()
    await prepareViews(connection, lakeDir)
    return await run(connection, select)
  } finally {
    instance.closeSync()
  }
}

async function prepareViews(connection: DuckDBConnection, lakeDir: string): Promise<void> {
  for (const dataset of DATASETS) {
    const folder = join(lakeDir, dataset)
    if (!existsSync(folder) || readdirSync(folder).length === 0) continue
    const files = quoted(join(folder, '*', '*', '*', 'data.parquet'))
    await connection.run(`CREATE VIEW ${dataset.replace('-', '_')} AS SELECT * FROM read_parquet(${files})`)
  }
  await connection.run(`SET allowed_directories=[${quoted(lakeDir)}]`)
  await connection.run('SET enable_external_access=false')
  await connection.run("SET TimeZone='UTC'")
  await connection.run('SET lock_configuration=true')
}

async function run(connection: DuckDBConnection, select: string): Promise<SqlRows> {
  try {
    const statements = await connection.extractStatements(select)
    if (statements.count !== 1) throw refused('one statement is answered at a time')
    const prepared = await statements.prepare(0)
    if (prepared.statementType !== StatementType.SELECT) throw refused('only SELECT is answered')
    const reader = await prepared.runAndReadAll()
    return { columns: reader.columnNames(), rows: reader.getRows().map((row) => row.map(printable)) }
  } catch (thrown) {
    if (thrown instanceof PipelineError) throw thrown
    throw refused(thrown instanceof Error ? (thrown.message.split('\n')[0] ?? '') : String(thrown), thrown)
  }
}


const refused = (why: string, cause?: unknown): PipelineError =>
  new PipelineError('BAD_USAGE', why, { at: 'the SQL', do: 'write one SELECT over the views, e.g. spot_klines' }, cause)

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

function printable(value: DuckDBValue): unknown {
  if (value === null || typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string') return value
  return String(value)
}
