import type { NumericType } from '../domain/candle.js'
import { DATASETS } from '../domain/dataset.js'
import { PipelineError } from '../domain/errors.js'
import { parseInterval } from '../domain/interval.js'
import type { SqlQuestion } from '../domain/ports/query-engine.js'
import { scanOf } from '../domain/query-plan.js'
import { resampleColumns, resamplePlan } from '../domain/resample.js'
import { sliceOf, type Slice } from '../domain/slice.js'
import { signalOf, type Call, type Candle } from './candle.js'
import { getReady, sumOf, type Ready } from './lake-scan.js'
import type { LakePorts } from './lake-ports.js'
import type { Lake } from './lake.js'
import { pathOf, QueryResult, type Begun } from './query-result.js'
import { resampleSql } from './resample-sql.js'
import { footerFigures, statsSql, type SliceStats } from './slice-stats.js'
import { sqlText } from './sql-text.js'

/**
 * What a question may take; what is left out is as configured. `memoryBytes` is what `sql` and `aggregate` may take,
 * each in a process of its own. `resample` and `stats` share the lake's one reader, with the memory configured.
 */
export type CandleQueryOptions = { readonly memoryBytes?: number; readonly timeoutSeconds?: number }

/**
 * Questions to a lake, answered by DuckDB. SQL of callers runs in a process of its own, which can read the planned
 * files only and write nothing.
 */
export class CandleQuery<N = number> implements AsyncDisposable {
  readonly #lake: Lake<N>
  readonly #o: CandleQueryOptions
  readonly #closed = new AbortController()

  constructor(lake: Lake<N>, o: CandleQueryOptions = {}) {
    this.#lake = lake
    this.#o = o
  }

  /**
   * Bars of a coarser interval, in time order: first open, highest high, lowest low, last close, sums of volumes and
   * trades. Buckets are the exchange's own (UTC; weeks from Monday). `complete` is false where source bars are missing
   * or the slice cuts the bucket. Sums are exact.
   * @throws {BAD_INTERVAL} an interval that is not a multiple of the slice's
   * @throws {QUERY_TIMEOUT, QUERY_MEMORY, SCHEMA_MISMATCH, OBJECT_CORRUPT, STORE_UNREACHABLE}
   */
  resample(at: Slice, interval: string, call?: Call): QueryResult<Candle<N> & { readonly complete: boolean }> {
    const plan = resamplePlan(at.interval, parseInterval(interval))
    const scan = scanOf(sliceOf(at, at.fromUs, at.toUs), resampleColumns())
    return new QueryResult(async () => {
      const { ports } = this.#lake
      const signal = this.#signal(call)
      const ready = await getReady([scan], ports, { signal, numericType: null })
      const { numericType, footers } = ready
      const sql = resampleSql(scan.dataset, plan, { numericType: numericType ?? 'double', footers })
      const timeoutSeconds = this.#o.timeoutSeconds ?? ports.limits.timeoutSeconds
      const answer = await (await ports.reader()).run({ sql, views: [ready.view], timeoutSeconds, signal })
      return { ...answer, cost: ready.cost, path: pathOf(ports.parts.via), close: () => Promise.resolve() }
    })
  }

  /**
   * Rows, bounds, least and greatest price and averages of a slice, and of each where it came from: footers tell all
   * but the averages where no row group lies across an end of the slice.
   */
  async stats(at: Slice, call?: Call): Promise<SliceStats> {
    const scan = scanOf(sliceOf(at, at.fromUs, at.toUs), ['open_time', 'low', 'high', 'close', 'volume'])
    const { ports } = this.#lake
    const signal = this.#signal(call)
    const { view, footers } = await getReady([scan], ports, { signal, numericType: null })
    const known = footerFigures(footers, scan.range)
    const timeoutSeconds = this.#o.timeoutSeconds ?? ports.limits.timeoutSeconds
    const result = new QueryResult<Omit<SliceStats, 'from'>>(async () => ({
      ...(await (
        await ports.reader()
      ).run({ sql: statsSql(scan.dataset, known === null), views: [view], timeoutSeconds, signal })),
      cost: sumOf([]),
      path: pathOf(ports.parts.via),
      close: () => Promise.resolve(),
    }))
    const [scanned] = await result.rows()
    const source = known === null ? 'scan' : 'footer'
    return { ...scanned!, ...known, from: { rows: source, bounds: source, prices: source, averages: 'scan' } }
  }

  /**
   * Groups the rows of a slice: `aggregate(at, ['date_trunc(\'day\', open_time) as day'], { high: 'max(high)' })`. The
   * keys of `as` name the columns, their values are SQL; so are the groups. Ordered by the groups.
   * @throws {SQL_REFUSED, QUERY_TIMEOUT, QUERY_MEMORY}
   */
  aggregate<R>(
    at: Slice,
    groupBy: readonly string[],
    as: Readonly<Record<string, string>>,
    call?: Call,
  ): QueryResult<R> {
    const figures = Object.entries(as).map(([name, sql]) => `${sql} AS "${name.replaceAll('"', '""')}"`)
    const groups = groupBy.map((_, n) => String(n + 1)).join(', ')
    const grouped = groups === '' ? '' : ` GROUP BY ${groups} ORDER BY ${groups}`
    const { dataset, symbol, interval, fromUs, toUs } = sliceOf(at, at.fromUs, at.toUs)
    const where =
      `symbol = ${sqlText(symbol)} AND interval = ${sqlText(interval)}` +
      ` AND open_time >= make_timestamptz(${fromUs}) AND open_time < make_timestamptz(${toUs})`
    return this.sql(
      `SELECT ${[...groupBy, ...figures].join(', ')} FROM ${dataset.replaceAll('-', '_')} WHERE ${where}${grouped}`,
      [],
      call,
    )
  }

  /**
   * One SELECT over views named by dataset: `spot_klines`, `um_klines`, `cm_klines`. What it asks of symbol, interval
   * and open_time by constants decides which objects are looked into. `?` and `$1` take params; a Date is an instant.
   * @throws {SQL_REFUSED} for anything else, and for SQL that fails @throws {QUERY_TIMEOUT, QUERY_MEMORY}
   */
  sql<R = Record<string, unknown>>(select: string, params: readonly unknown[] = [], call?: Call): QueryResult<R> {
    return new QueryResult(async () => {
      const { ports } = this.#lake
      const signal = this.#signal(call)
      const limits = {
        ...ports.limits,
        memoryBytes: this.#o.memoryBytes ?? ports.limits.memoryBytes,
        timeoutSeconds: this.#o.timeoutSeconds ?? ports.limits.timeoutSeconds,
      }
      const { numericType, cost } = await this.#lake.findNumericType(call)
      const question = await (await ports.sql()).ask({ sql: select, params, numericType, files: null, limits, signal })
      const begun = await answered(question, ports, { signal, numericType })
      return { ...begun, cost: sumOf([begun.cost, { ...cost, files: 0, bytesSkipped: 0 }]) }
    })
  }

  /** Ends every question on its way. */
  async close(): Promise<void> {
    this.#closed.abort(new PipelineError('INTERRUPTED', 'the query was closed'))
    return await Promise.resolve()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #signal(call: Call | undefined): AbortSignal {
    return AbortSignal.any([signalOf(call), this.#closed.signal])
  }
}

async function answered(
  question: SqlQuestion,
  ports: LakePorts,
  o: { signal: AbortSignal; numericType: NumericType },
): Promise<Begun> {
  try {
    const ready: Ready[] = []
    for (const dataset of DATASETS) {
      const [first, ...more] = question.scans.filter((scan) => scan.dataset === dataset)
      if (first) ready.push(await getReady([first, ...more], ports, o))
    }
    const answer = await question.answer(ready.map(({ view }) => view))
    const cost = sumOf(ready.map((one) => one.cost))
    return { ...answer, cost, path: pathOf(ports.parts.via), close: () => question.close() }
  } catch (thrown) {
    await question.close()
    throw thrown
  }
}
