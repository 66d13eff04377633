import { PipelineError } from '../domain/errors.js'
import type { ParquetFooter } from '../domain/parquet-footer.js'
import type { WantedPart } from '../domain/plan-ranges.js'
import type { ObjectPart } from '../domain/ports/object-parts.js'
import type { CandleReader } from '../domain/ports/query-engine.js'
import type { OpenRange } from '../domain/range.js'
import { signalOf, type Call } from './candle.js'
import { statsOf, type Stats } from './lake-stats.js'
import { QueryResult } from './query-result.js'
import { parquetAt } from './sql-text.js'

/** How one file is got at. */
export type RemoteFilePorts = {
  part(want: WantedPart, signal: AbortSignal): Promise<ObjectPart>
  footer(signal: AbortSignal): Promise<Omit<ObjectPart, 'path'>>
  reader(): Promise<CandleReader>
  timeoutSeconds: number
  close(): Promise<void>
}

/** Any Parquet file somewhere else, of which only what is asked for is read. */
export class RemoteFile implements AsyncDisposable {
  readonly #ports: RemoteFilePorts

  constructor(ports: RemoteFilePorts) {
    this.#ports = ports
  }

  /** What the footer says. @throws {OBJECT_ABSENT, OBJECT_CORRUPT, STORE_UNREACHABLE} */
  async stats(call?: Call): Promise<Stats> {
    const { footer, cost } = await this.#ports.footer(signalOf(call))
    return statsOf(footer, cost.bytesRead)
  }

  /**
   * Columns of the file (default: all), of the rows whose `open_time` lies in `[fromUs, toUs)` where a range is given.
   * @throws {SCHEMA_MISMATCH} no such column
   * @throws {PRECONDITION_FAILED} the file became another while it was read
   * @throws {OBJECT_ABSENT, OBJECT_CORRUPT, STORE_UNREACHABLE, QUERY_TIMEOUT, QUERY_MEMORY}
   */
  read<R = Record<string, unknown>>(
    o: { readonly columns?: readonly string[] } & Partial<OpenRange> = {},
    call?: Call,
  ): QueryResult<R> {
    const range = { fromUs: o.fromUs ?? null, toUs: o.toUs ?? null }
    const timed = range.fromUs !== null || range.toUs !== null
    return new QueryResult(async () => {
      const signal = signalOf(call)
      const columns = o.columns === undefined ? null : [...o.columns, ...(timed ? ['open_time'] : [])]
      const part = await this.#ports.part({ columns, range }, signal)
      checkColumns(part.footer, columns ?? (timed ? ['open_time'] : []))
      const sql = selectOf(part.path, o.columns ?? part.footer.columns.map(({ name }) => name), range)
      const answer = await (
        await this.#ports.reader()
      ).run({ sql, views: [], timeoutSeconds: this.#ports.timeoutSeconds, signal })
      const { requests, bytesRead, cacheHits } = part.cost
      const bytesSkipped = Math.max(0, part.footer.bytes - bytesRead)
      return {
        ...answer,
        cost: { files: 1, requests, bytesRead, bytesSkipped, cacheHits },
        path: { path: 'range', reason: 'columns and rows are asked for, not SQL' },
        close: () => Promise.resolve(),
      }
    })
  }

  async close(): Promise<void> {
    await this.#ports.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function checkColumns(footer: ParquetFooter, wanted: readonly string[]): void {
  const missing = wanted.find((name) => !footer.columns.some((column) => column.name === name))
  if (missing === undefined) return
  throw new PipelineError('SCHEMA_MISMATCH', `the file has no column ${missing}`, {
    column: missing,
    want: 'a column',
    found: 'missing',
    do: `it has ${footer.columns.map(({ name }) => name).join(', ')}`,
  })
}

function selectOf(path: string, columns: readonly string[], { fromUs, toUs }: OpenRange): string {
  const where = [
    ...(fromUs === null ? [] : [`open_time >= make_timestamptz(${fromUs})`]),
    ...(toUs === null ? [] : [`open_time < make_timestamptz(${toUs})`]),
  ]
  const names = columns.map((name) => `"${name.replaceAll('"', '""')}"`).join(', ')
  const filter = where.length === 0 ? '' : ` WHERE ${where.join(' AND ')}`
  return `SELECT ${names} FROM ${parquetAt(path)}${filter}`
}
