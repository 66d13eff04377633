import type { NumericType } from '../candle.js'
import type { Dataset } from '../dataset.js'
import type { WantedPart } from '../plan-ranges.js'
import type { Scan } from '../query-plan.js'
import type { OpenRange } from '../range.js'

/** How a column's values are held: `instant` is microseconds since 1970 UTC, `decimal` and `text` are text. */
export type ValueKind = 'double' | 'integer' | 'bigint' | 'instant' | 'boolean' | 'decimal' | 'text' | 'json'

export type ResultColumn = { readonly name: string; readonly kind: ValueKind; readonly type: string }

export type ColumnValues = Float64Array | Int32Array | BigInt64Array | Uint8Array | readonly unknown[]

/** Some rows of an answer, by column. `nulls[i]` has a 1 for each missing value; null where none is missing. */
export type Frame = {
  readonly rows: number
  readonly values: readonly ColumnValues[]
  readonly nulls: readonly (Uint8Array | null)[]
}

/** The answer of one statement; leaving the loop over `frames` ends the work. */
export type Answer = { readonly columns: readonly ResultColumn[]; readonly frames: AsyncIterable<Frame> }

/** Local Parquet files under a dataset's name or `files`; `range` is the only part of `open_time` that may be read of them. */
export type FileView = {
  readonly dataset: Dataset | 'files'
  readonly paths: readonly string[]
  readonly range: OpenRange
}

/** What a question may take: memory and disk in bytes, time in seconds. */
export type QueryLimits = {
  readonly memoryBytes: number
  readonly tempBytes: number
  readonly timeoutSeconds: number
  readonly threads: number
}

/** Reads candle files with SQL that this program wrote. */
export interface CandleReader {
  /** @throws {QUERY_TIMEOUT, QUERY_MEMORY, OBJECT_CORRUPT, SCHEMA_MISMATCH} */
  run(o: { sql: string; views: readonly FileView[]; timeoutSeconds: number; signal: AbortSignal }): Promise<Answer>
  close(): Promise<void>
}

/** A question in SQL on its way: first what it reads, then its answer. */
export interface SqlQuestion {
  /** What has to be at hand, by dataset: at least what the answer reads. */
  readonly scans: readonly Scan[]
  /** The same of `files`; null where they are not read. */
  readonly wanted: WantedPart | null
  /**
   * Loads DuckDB's `httpfs` from a folder of installed extensions, before `answer`: from then on views may have
   * `http://` and `https://` addresses. Gives why it cannot be loaded, else null. Nothing is downloaded.
   */
  loadHttpfs(extensionDir: string): Promise<string | null>
  answer(views: readonly FileView[]): Promise<Answer>
  /** What `httpfs` fetched, once the answer has been read or left. */
  readonly fetched: { readonly requests: number; readonly bytesRead: number }
  close(): Promise<void>
}

/** A column by its name and DuckDB's type. */
export type TableColumn = { readonly name: string; readonly type: string }

/** Answers SQL of anybody in a process of its own that can read the planned files only and write nothing. */
export interface SqlRunner {
  /** @throws {SQL_REFUSED} for anything but one SELECT over the views @throws {QUERY_TIMEOUT, QUERY_MEMORY} */
  ask(o: {
    sql: string
    params: readonly unknown[]
    numericType: NumericType
    /** Columns of the one table `files`; null: the tables are a lake's datasets. */
    files: readonly TableColumn[] | null
    limits: QueryLimits
    signal: AbortSignal
  }): Promise<SqlQuestion>
}
