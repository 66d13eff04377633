import { createReadStream } from 'node:fs'
import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import type { NumericType } from '../domain/candle.js'
import { DATASETS } from '../domain/dataset.js'
import { PipelineError } from '../domain/errors.js'
import { monthRange } from '../domain/month.js'
import { objectKeyOf, parseLakeKey } from '../domain/names.js'
import { numericTypeOf } from '../domain/parquet-footer.js'
import { checkSeries, partitionKeyOf, type Partition } from '../domain/partition.js'
import type { ReadCost } from '../domain/ports/range-source.js'
import type { Condition } from '../domain/ports/object-store.js'
import { scanOf, type LakeObject } from '../domain/query-plan.js'
import { sliceOf, type Slice } from '../domain/slice.js'
import { FIELDS, signalOf, type Batches, type Call, type Candle, type CandleField } from './candle.js'
import { valuesOf } from './candle-values.js'
import type { LakePorts } from './lake-ports.js'
import { getReady } from './lake-scan.js'
import { statsOf, type Stats } from './lake-stats.js'
import { pathOf, QueryResult } from './query-result.js'
import { prefixesOf } from './store-index.js'

/**
 * A lake of candle partitions in a folder or bucket: read, written and looked at by partition. It knows no catalog:
 * what is written here is not in one.
 */
export class Lake<N = number> implements AsyncDisposable {
  readonly ports: LakePorts
  #numericType: NumericType | null

  constructor(ports: LakePorts, o: { numericType: NumericType | null }) {
    this.ports = ports
    this.#numericType = o.numericType
  }

  /** How the lake holds numbers: as it was opened, else as its first partition has them, else double. */
  async numericType(call?: Call): Promise<NumericType> {
    return (await this.findNumericType(call)).numericType
  }

  /** The same, and what it cost to find out. */
  async findNumericType(call?: Call): Promise<{ readonly numericType: NumericType; readonly cost: ReadCost }> {
    const cost = { requests: 0, bytesRead: 0, cacheHits: 0 }
    if (this.#numericType !== null) return { numericType: this.#numericType, cost }
    const first = await this.#first()
    if (!first) return { numericType: 'double', cost }
    const read = await this.ports.parts.footer(first, signalOf(call))
    this.#numericType = numericTypeOf(read.footer, first.key)
    return { numericType: this.#numericType, cost: read.cost }
  }

  /**
   * Rows of a partition or of a slice of a series, in time order; with columns only these are read. A slice without
   * partitions has no rows.
   * @throws {PARTITION_ABSENT, SCHEMA_MISMATCH, OBJECT_CORRUPT, PRECONDITION_FAILED, STORE_UNREACHABLE}
   */
  read<C extends CandleField = CandleField>(
    at: Partition | Slice,
    columns?: readonly C[],
    call?: Call,
  ): QueryResult<Pick<Candle<N>, C>> {
    const slice = 'month' in at ? sliceOf(at, monthRange(at.month).fromUs, monthRange(at.month).toUs) : at
    const wanted = FIELDS.filter(([field]) => columns === undefined || columns.includes(field as C))
    if (wanted.length === 0) throw new PipelineError('BAD_USAGE', 'no column was asked for')
    const scan = scanOf(sliceOf(slice, slice.fromUs, slice.toUs), [
      ...new Set([...wanted.map(([, name]) => name), 'open_time' as const]),
    ])
    return new QueryResult(async () => {
      const signal = signalOf(call)
      const ready = await getReady([scan], this.ports, { signal, numericType: this.#numericType })
      if ('month' in at && ready.cost.files === 0) throw absent(at)
      const select = wanted.map(([field, name]) => `"${name}" AS "${field}"`).join(', ')
      const { timeoutSeconds } = this.ports.limits
      // Files are sorted, and come in the order of their months: DuckDB keeps that order.
      const sql = `SELECT ${select} FROM ${scan.dataset.replaceAll('-', '_')}`
      const answer = await (await this.ports.reader()).run({ sql, views: [ready.view], timeoutSeconds, signal })
      const path = pathOf(this.ports.parts.via)
      return { ...answer, cost: ready.cost, path, close: () => Promise.resolve() }
    })
  }

  /** Partitions by name, in key order: those whose parts are these, or all. */
  async *list(at: Partial<Partition> = {}): AsyncGenerator<Partition> {
    const datasets = at.dataset === undefined ? DATASETS : [at.dataset]
    for (const dataset of datasets) {
      const named = {
        dataset,
        symbols: at.symbol === undefined ? null : [at.symbol],
        intervals: at.interval === undefined ? null : [at.interval],
      }
      for (const prefix of prefixesOf(named)) {
        for await (const { key } of this.ports.store.list(prefix)) {
          const name = parseLakeKey(key)
          if (name?.kind === 'data' && matches(name.partition, at)) yield name.partition
        }
      }
    }
  }

  /** What the footer says: reads no value. @throws {PARTITION_ABSENT, SCHEMA_MISMATCH, OBJECT_CORRUPT} */
  async stats(p: Partition, call?: Call): Promise<Stats> {
    const object = await this.object(p)
    if (!object) throw absent(p)
    const { footer, cost } = await this.ports.parts.footer(object, signalOf(call))
    numericTypeOf(footer, object.key, this.#numericType)
    return statsOf(footer, cost.bytesRead)
  }

  /**
   * Stores one partition whole or not at all; one that is there is replaced. Rows may come in any order.
   * @throws {CORRUPT} a row outside of the month, one open_time twice, a value that is missing or no number
   * @throws {PRECONDITION_FAILED} with a condition that does not hold @throws {DISK_FULL, STORE_UNREACHABLE}
   * @throws {BAD_MARKET, BAD_SYMBOL, BAD_INTERVAL}
   */
  async write(
    p: Partition,
    rows: Batches<Candle<N>>,
    call?: Call & { readonly condition?: Condition },
  ): Promise<Stats> {
    checkSeries(p)
    const numericType = await this.numericType(call)
    const writer = await this.ports.writer()
    const parquet = { ...this.ports.parquet, numericType }
    const written = await writer.write({ partition: p, batches: valuesOf(rows), parquet, signal: signalOf(call) })
    try {
      const hash = createHash('sha256')
      await pipeline(createReadStream(written.path), hash)
      signalOf(call).throwIfAborted()
      const condition = call?.condition === undefined ? {} : { condition: call.condition }
      await this.ports.store.put({
        key: objectKeyOf(p),
        path: written.path,
        sha256Hex: hash.digest('hex'),
        ...condition,
      })
    } finally {
      await written.remove()
    }
    return await this.stats(p, call)
  }

  /** False when there was none. */
  async delete(p: Partition): Promise<boolean> {
    return await this.ports.store.delete(objectKeyOf(p))
  }

  /** The data object of a partition; null when there is none. */
  async object(p: Partition): Promise<LakeObject | null> {
    const info = await this.ports.store.head(objectKeyOf(p))
    return info && { partition: p, key: info.key, etag: info.etag, bytes: info.bytes }
  }

  async close(): Promise<void> {
    await this.ports.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #first(): Promise<LakeObject | null> {
    for await (const partition of this.list()) return await this.object(partition)
    return null
  }
}

const matches = (p: Partition, at: Partial<Partition>): boolean =>
  (at.symbol === undefined || at.symbol === p.symbol) &&
  (at.interval === undefined || at.interval === p.interval) &&
  (at.month === undefined || at.month === p.month)

const absent = (p: Partition): PipelineError =>
  new PipelineError('PARTITION_ABSENT', 'the lake has no such partition', {
    at: partitionKeyOf(p),
    do: 'see candlelake status',
  })
