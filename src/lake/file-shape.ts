import type { ByteRange } from '../domain/plan-ranges.js'
import type { ObjectPart } from '../domain/ports/object-parts.js'
import type { CandleReader, TableColumn } from '../domain/ports/query-engine.js'
import type { ReadCost } from '../domain/ports/range-source.js'
import { QueryResult, NOTHING } from './query-result.js'

/** What DuckDB says of a file by its footer. */
export type FileShape = {
  /** Where its parts are: another version of the file has another place. */
  readonly path: string
  readonly columns: readonly TableColumn[]
  /** Every column is one chunk a row group that goes by its name. */
  readonly plain: boolean
  /** Bloom filters: DuckDB asks them where a condition names a value. They lie outside of the columns' chunks. */
  readonly filters: readonly (ByteRange & { readonly column: string })[]
  readonly cost: ReadCost
  /** Of the whole file. */
  readonly bytes: number
}

const TIMEOUT_SECONDS = 60

/** Reads the footer in a local file that may hold nothing else. @throws {OBJECT_CORRUPT} */
export async function shapeOf(
  { path, footer, cost }: ObjectPart,
  reader: CandleReader,
  signal: AbortSignal,
): Promise<FileShape> {
  const file = `'${path.replaceAll("'", "''")}'`
  const rows = <R>(sql: string): Promise<R[]> =>
    new QueryResult<R>(async () => ({
      ...(await reader.run({ sql, views: [], timeoutSeconds: TIMEOUT_SECONDS, signal })),
      cost: NOTHING,
      path: { path: 'local', reason: null },
      close: () => Promise.resolve(),
    })).rows()
  const columns = await rows<TableColumn>(
    `SELECT column_name AS name, column_type AS type
     FROM (DESCRIBE SELECT * FROM read_parquet(${file}, hive_partitioning = false))`,
  )
  const filters = await rows<{ column: string; start: bigint; bytes: bigint | null }>(
    `SELECT path_in_schema AS "column", bloom_filter_offset AS "start", bloom_filter_length AS "bytes"
     FROM parquet_metadata(${file}) WHERE bloom_filter_offset IS NOT NULL`,
  )
  const starts = [
    ...footer.rowGroups.flatMap(({ chunks }) => chunks.map(({ start }) => start)),
    ...filters.map((filter) => Number(filter.start)),
    footer.start,
  ]
  return {
    path,
    columns,
    cost,
    bytes: footer.bytes,
    plain:
      columns.length === footer.columns.length &&
      columns.every(({ name }, n) => footer.columns[n]?.name === name && footer.columns[n]?.type !== 'NESTED'),
    filters: filters.map(({ column, start, bytes }) => {
      const from = Number(start)
      // Older writers leave the length out: then it ends before what comes next.
      const end = bytes === null ? Math.min(...starts.filter((one) => one > from)) : from + Number(bytes)
      return { column, start: from, end }
    }),
  }
}
