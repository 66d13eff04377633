import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { CANDLE_COLUMNS, sqlTypeOf, type NumericType } from '../../domain/candle.js'
import type { Dataset } from '../../domain/dataset.js'
import type { FileView, QueryLimits } from '../../domain/ports/query-engine.js'
import type { OpenRange } from '../../domain/range.js'

/** An in-memory DuckDB without extensions to load; `tempDir` is where it may spill, null: nowhere. */
export async function openInstance(
  limits: QueryLimits,
  o: { tempDir: string | null; external: boolean },
): Promise<DuckDBInstance> {
  return await DuckDBInstance.create(':memory:', {
    threads: String(limits.threads),
    memory_limit: `${limits.memoryBytes}B`,
    temp_directory: o.tempDir ?? '',
    ...(o.tempDir === null ? {} : { max_temp_directory_size: `${limits.tempBytes}B` }),
    enable_external_access: String(o.external),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    // It would remember holes of a file that were filled since.
    enable_external_file_cache: 'false',
    preserve_insertion_order: 'true',
  })
}

/** The name of a dataset in SQL: `spot_klines`. */
export const viewName = (dataset: Dataset): string => dataset.replaceAll('-', '_')

/** A view over files, narrowed to the range that was planned; over none an empty table. */
export async function createView(
  connection: DuckDBConnection,
  view: FileView,
  numericType: NumericType,
): Promise<void> {
  if (view.paths.length === 0) await createEmpty(connection, view.dataset, numericType)
  else await connection.run(`CREATE TEMP VIEW ${viewName(view.dataset)} AS ${selectFrom(view)}`)
}

/** All columns of the rows in range. The filter is what lets DuckDB pass over row groups that were not fetched. */
export function selectFrom({ paths, range }: Pick<FileView, 'paths' | 'range'>): string {
  const where = timeFilter(range)
  return (
    `SELECT * FROM read_parquet([${paths.map(literal).join(', ')}], hive_partitioning = false)` +
    (where === '' ? '' : ` WHERE ${where}`)
  )
}

export function timeFilter({ fromUs, toUs }: OpenRange): string {
  const ends = [
    ...(fromUs === null ? [] : [`open_time >= make_timestamptz(${fromUs})`]),
    ...(toUs === null ? [] : [`open_time < make_timestamptz(${toUs})`]),
  ]
  return ends.join(' AND ')
}

export async function createEmpty(
  connection: DuckDBConnection,
  dataset: Dataset,
  numericType: NumericType,
): Promise<void> {
  const columns = CANDLE_COLUMNS.map(({ name, kind }) => `"${name}" ${sqlTypeOf(kind, numericType)}`)
  await connection.run(`CREATE TEMP TABLE ${viewName(dataset)} (${columns.join(', ')})`)
}

/** From here on only these files can be read, and no setting can be changed. */
export async function lock(connection: DuckDBConnection, paths: readonly string[]): Promise<void> {
  await connection.run(`SET allowed_paths = [${paths.map(literal).join(', ')}]`)
  await connection.run('SET enable_external_access = false')
  await connection.run('SET lock_configuration = true')
}

/** A SQL string literal. */
export const literal = (text: string): string => `'${text.replaceAll(`'`, `''`)}'`
