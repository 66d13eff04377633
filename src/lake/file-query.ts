import { PipelineError } from '../domain/errors.js'
import type { ByteRange, WantedPart } from '../domain/plan-ranges.js'
import type { ObjectPart } from '../domain/ports/object-parts.js'
import type { CandleReader, QueryLimits, SqlQuestion, SqlRunner, TableColumn } from '../domain/ports/query-engine.js'
import { EVERYTHING } from '../domain/query-plan.js'
import { Resource } from '../domain/resource.js'
import { signalOf, type Call } from './candle.js'
import type { CandleQueryOptions } from './candle-query.js'
import { shapeOf, type FileShape } from './file-shape.js'
import { each } from './lake-scan.js'
import { NOTHING, QueryResult, type Begun, type Figures, type Path } from './query-result.js'

/** A Parquet file of anybody's, wherever it is. `address` holds no credentials. */
export type QueryableFile = {
  readonly address: string
  readonly remote: boolean
  /** The address for `httpfs`; null where that may not have it, and why. */
  readonly direct: { readonly url: string } | { readonly url: null; readonly reason: string } | null
  part(want: WantedPart, signal: AbortSignal): Promise<ObjectPart>
}

export type FileQueryPorts = {
  readonly files: readonly QueryableFile[]
  readonly limits: QueryLimits
  /** Where DuckDB's extensions are; null: `httpfs` is not to be used. */
  readonly extensionDir: string | null
  reader(): Promise<CandleReader>
  sql(): Promise<SqlRunner>
  close(): Promise<void>
}

/**
 * Questions to Parquet files that are no lake, as one table `files`: locked down as those to a lake are. Of a file
 * somewhere else only the footer and the columns and row groups that a question needs are read, and kept by ETag.
 */
export class FileQuery extends Resource {
  readonly #ports: FileQueryPorts
  readonly #o: CandleQueryOptions
  readonly #closed = new AbortController()
  #shapes: Promise<readonly FileShape[]> | undefined

  constructor(ports: FileQueryPorts, o: CandleQueryOptions = {}) {
    super()
    this.#ports = ports
    this.#o = o
  }

  /**
   * One SELECT over `files`, whose columns are those of the files, all of which must have the same.
   * @throws {SQL_REFUSED} for anything else, and for SQL that fails @throws {QUERY_TIMEOUT, QUERY_MEMORY}
   * @throws {SCHEMA_MISMATCH} a file has other columns than the first
   * @throws {OBJECT_ABSENT, OBJECT_CORRUPT, PRECONDITION_FAILED, STORE_UNREACHABLE, STORE_DENIED}
   */
  sql<R = Record<string, unknown>>(select: string, params: readonly unknown[] = [], call?: Call): QueryResult<R> {
    return new QueryResult(async () => {
      const signal = AbortSignal.any([signalOf(call), this.#closed.signal])
      signal.throwIfAborted()
      const first = this.#shapes === undefined
      const shapes = await unlessAborted(this.#shapesOf(), signal)
      const { limits } = this.#ports
      const question = await (await this.#ports.sql()).ask({
        sql: select,
        params,
        numericType: 'double',
        files: shapes[0]?.columns ?? [],
        limits: {
          ...limits,
          memoryBytes: this.#o.memoryBytes ?? limits.memoryBytes,
          timeoutSeconds: this.#o.timeoutSeconds ?? limits.timeoutSeconds,
        },
        signal,
      })
      try {
        const { wanted } = question
        const path = wanted === null ? LOCAL : await this.#path(question)
        const isDirect = path.path === 'httpfs'
        const { paths, cost, bytes } = await this.#parts(isDirect ? null : wanted, shapes, signal)
        const read = first ? sumWithShapes(cost, shapes) : cost
        const range = wanted?.range ?? EVERYTHING
        const found = isDirect ? this.#ports.files.map((file) => file.direct?.url ?? file.address) : paths
        const answer = await question.answer(wanted === null ? [] : [{ dataset: 'files', paths: found, range }])
        return {
          ...answer,
          path,
          get cost() {
            return isDirect ? directCost(shapes, read, question.fetched) : withSkipped(read, bytes)
          },
          close: () => question.close(),
        } satisfies Begun
      } catch (thrown) {
        await question.close()
        throw thrown
      }
    })
  }

  /** Ends every question on its way. */
  async close(): Promise<void> {
    this.#closed.abort(new PipelineError('INTERRUPTED', 'the query was closed'))
    await this.#ports.close()
  }

  /** Known once for all questions, and so ended by none of them; a failure is asked anew. */
  #shapesOf(): Promise<readonly FileShape[]> {
    this.#shapes ??= this.#readShapes(this.#closed.signal).catch((thrown: unknown) => {
      this.#shapes = undefined
      throw thrown
    })
    return this.#shapes
  }

  async #readShapes(signal: AbortSignal): Promise<readonly FileShape[]> {
    const reader = await this.#ports.reader()
    const shapes: FileShape[] = []
    await each(this.#ports.files, async (file, n) => {
      const part = await file.part({ columns: [], range: EVERYTHING }, signal)
      shapes[n] = await shapeOf(part, reader, signal)
    })
    shapes.forEach((shape, n) => checkSame(shapes[0]!.columns, shape.columns, this.#ports.files[n]!.address))
    return shapes
  }

  async #parts(
    wanted: WantedPart | null,
    shapes: readonly FileShape[],
    signal: AbortSignal,
  ): Promise<{ paths: string[]; cost: Figures; bytes: number }> {
    const cost: Figures = { ...NOTHING }
    const paths: string[] = []
    let bytes = 0
    if (wanted === null) return { paths, cost, bytes }
    await each(this.#ports.files, async (file, n) => {
      const part = await file.part(wantedOf(shapes[n]!, wanted), signal)
      if (part.path !== shapes[n]!.path) {
        this.#shapes = undefined
        const facts = { at: file.address, do: 'ask again' }
        throw new PipelineError('PRECONDITION_FAILED', 'another object is there now', facts)
      }
      paths[n] = part.path
      bytes += part.footer.bytes
      cost.files++
      cost.requests += part.cost.requests
      cost.bytesRead += part.cost.bytesRead
      cost.cacheHits += part.cost.cacheHits
    })
    return { paths, cost, bytes }
  }

  async #path(question: SqlQuestion): Promise<Path> {
    const { files, extensionDir } = this.#ports
    if (!files.some((file) => file.remote)) return LOCAL
    if (extensionDir === null) return { path: 'range', reason: 'QUERY_HTTPFS is off' }
    for (const { direct } of files) if (direct?.url === null) return { path: 'range', reason: direct.reason }
    const problem = await question.loadHttpfs(extensionDir)
    return problem === null ? { path: 'httpfs', reason: null } : { path: 'range', reason: `httpfs: ${problem}` }
  }
}

/** The same, or the reason of an abort that comes first; the work goes on for whoever else waits for it. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const done = new AbortController()
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true, signal: done.signal })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    done.abort()
  }
}

/** What reading the footers cost belongs to the first question. */
function sumWithShapes(cost: Figures, shapes: readonly FileShape[]): Figures {
  const requests = shapes.reduce((sum, shape) => sum + shape.cost.requests, cost.requests)
  const read = shapes.reduce((sum, shape) => sum + shape.cost.bytesRead, 0)
  return { ...cost, requests, bytesRead: cost.bytesRead + read }
}

const withSkipped = (cost: Figures, bytes: number): Figures =>
  ({ ...cost, bytesSkipped: Math.max(0, bytes - cost.bytesRead) })

/** Of files that DuckDB fetched from by itself. */
function directCost(shapes: readonly FileShape[], footers: Figures, fetched: SqlQuestion['fetched']): Figures {
  const bytes = shapes.reduce((sum, shape) => sum + shape.bytes, 0)
  const requests = footers.requests + fetched.requests
  const bytesRead = footers.bytesRead + fetched.bytesRead
  return withSkipped({ ...footers, files: shapes.length, requests, bytesRead }, bytes)
}

const LOCAL: Path = { path: 'local', reason: null }

/** Of a file whose columns are not one chunk a row group under their own names everything is wanted. */
function wantedOf(shape: FileShape, wanted: WantedPart): WantedPart {
  const columns = shape.plain ? wanted.columns : null
  const also: ByteRange[] = shape.filters.flatMap(({ column, ...range }) =>
    columns === null || columns.includes(column) ? [range] : [],
  )
  return { columns, range: wanted.range, also }
}

function checkSame(want: readonly TableColumn[], found: readonly TableColumn[], at: string): void {
  for (let n = 0; n < Math.max(want.length, found.length); n++) {
    const [one, other] = [want[n], found[n]]
    if (one?.name === other?.name && one?.type === other?.type) continue
    const facts = {
      at,
      column: one?.name ?? other?.name ?? null,
      want: one ? `${one.name} ${one.type}` : 'no such column',
      found: other ? `${other.name} ${other.type}` : 'missing',
      do: 'ask files with the same columns, or one at a time',
    }
    throw new PipelineError('SCHEMA_MISMATCH', `column ${n + 1} should be ${facts.want} and is ${facts.found}`, facts)
  }
}

