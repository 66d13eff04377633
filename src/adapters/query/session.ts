import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { CANDLE_COLUMNS, sqlTypeOf, type NumericType } from '../../domain/candle.js'
import { DATASETS } from '../../domain/dataset.js'
import type { FileView, QueryLimits, TableColumn } from '../../domain/ports/query-engine.js'
import type { OpenRange } from '../../domain/range.js'

/** An in-memory DuckDB that loads no extension by itself; `tempDir` is where it may spill, null: nowhere. */
export async function openInstance(
  limits: QueryLimits,
  o: { tempDir: string | null; external: boolean; extensionDir?: string },
): Promise<DuckDBInstance> {
  return await DuckDBInstance.create(':memory:', {
    threads: String(limits.threads),
    memory_limit: `${limits.memoryBytes}B`,
    temp_directory: o.tempDir ?? '',
    ...(o.tempDir === null ? {} : { max_temp_directory_size: `${limits.tempBytes}B` }),
    enable_external_access: String(o.external),
    ...(o.extensionDir === undefined ? {} : { extension_directory: o.extensionDir }),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    // It would remember holes of a file that were filled since.
    enable_external_file_cache: 'false',
    preserve_insertion_order: 'true',
  })
}

/** The name of a dataset in SQL: `spot_klines`. */
export const viewName = (dataset: FileView['dataset']): string => dataset.replaceAll('-', '_')

/** A view over files, narrowed to the range that was planned. */
export async function createView(connection: DuckDBConnection, view: FileView): Promise<void> {
  await connection.run(`CREATE TEMP VIEW ${viewName(view.dataset)} AS ${selectFrom(view)}`)
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

/** A table without rows. */
export type EmptyTable = { readonly dataset: FileView['dataset']; readonly columns: readonly TableColumn[] }

/** The tables that a question may name: a lake's datasets, or `files`. */
export function tablesOf(files: readonly TableColumn[] | null, numericType: NumericType): readonly EmptyTable[] {
  if (files !== null) return [{ dataset: 'files', columns: files }]
  const columns = CANDLE_COLUMNS.map(({ name, kind }) => ({ name, type: sqlTypeOf(kind, numericType) }))
  return DATASETS.map((dataset) => ({ dataset, columns }))
}

export async function createEmpty(connection: DuckDBConnection, { dataset, columns }: EmptyTable): Promise<void> {
  const all = columns.map(({ name, type }) => `"${name.replaceAll('"', '""')}" ${type}`)
  await connection.run(`CREATE TEMP TABLE ${viewName(dataset)} (${all.join(', ')})`)
}

/** From here on only these files can be read, and no setting can be changed. */
export async function lock(connection: DuckDBConnection, paths: readonly string[]): Promise<void> {
  await connection.run(`SET allowed_paths = [${paths.map(literal).join(', ')}]`)
  await connection.run('SET enable_external_access = false')
  await connection.run('SET lock_configuration = true')
}

/** A SQL string literal. */
export const literal = (text: string): string => `'${text.replaceAll(`'`, `''`)}'`
