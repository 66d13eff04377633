import type { ByteRange } from '../domain/plan-ranges.js'
import type { ParquetFooter } from '../domain/parquet-footer.js'
import type { ObjectPart } from '../domain/ports/object-parts.js'
import type { CandleReader, TableColumn } from '../domain/ports/query-engine.js'
import type { ReadCost } from '../domain/ports/range-source.js'
import { QueryResult, NOTHING } from './query-result.js'
import { parquetAt, sqlText } from './sql-text.js'

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

/** A Bloom filter by the footer; some writers leave the length out. */
export type FoundFilter = { readonly column: string; readonly start: bigint; readonly bytes: bigint | null }

const TIMEOUT_SECONDS = 60
/** The file begins with its magic bytes. */
const FIRST = 4

/** Reads the footer in a local file that may hold nothing else. @throws {OBJECT_CORRUPT} */
export async function shapeOf(
  { path, footer, cost }: ObjectPart,
  reader: CandleReader,
  signal: AbortSignal,
): Promise<FileShape> {
  const rows = <R>(sql: string): Promise<R[]> =>
    new QueryResult<R>(async () => ({
      ...(await reader.run({ sql, views: [], timeoutSeconds: TIMEOUT_SECONDS, signal })),
      cost: NOTHING,
      path: { path: 'local', reason: null },
      close: () => Promise.resolve(),
    })).rows()
  const columns = await rows<TableColumn>(
    `SELECT column_name AS name, column_type AS type
     FROM (DESCRIBE SELECT * FROM ${parquetAt(path)})`,
  )
  const filters = await rows<FoundFilter>(
    `SELECT path_in_schema AS "column", bloom_filter_offset AS "start", bloom_filter_length AS "bytes"
     FROM parquet_metadata(${sqlText(path)}) WHERE bloom_filter_offset IS NOT NULL`,
  )
  return {
    path,
    columns,
    cost,
    bytes: footer.bytes,
    plain:
      columns.length === footer.columns.length &&
      columns.every(({ name }, n) => footer.columns[n]?.name === name && footer.columns[n]?.type !== 'NESTED'),
    filters: filterRanges(filters, footer),
  }
}

/** Where the filters lie; one without a length ends before what comes next, and one outside of the file is none. */
export function filterRanges(filters: readonly FoundFilter[], footer: ParquetFooter): FileShape['filters'] {
  const chunkStarts = footer.rowGroups.flatMap(({ chunks }) => chunks.map(({ start }) => start))
  const starts = [...chunkStarts, ...filters.map(({ start }) => Number(start)), footer.start].sort((a, b) => a - b)
  return filters.flatMap(({ column, start, bytes }) => {
    const from = Number(start)
    const end = bytes === null ? firstAbove(from, starts) : from + Number(bytes)
    return from >= FIRST && end >= from && end <= footer.start ? [{ column, start: from, end }] : []
  })
}

/** Of numbers in order, the first above another; infinite when there is none. */
function firstAbove(than: number, ordered: readonly number[]): number {
  let [low, high] = [0, ordered.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ordered[middle]! > than) high = middle
    else low = middle + 1
  }
  return ordered[low] ?? Number.POSITIVE_INFINITY
}
