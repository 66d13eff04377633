import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { acquireEmbeddedPostgres } from '../src/adapters/embedded-postgres/embedded-postgres.js'
import { writeKlineFile } from '../src/archive-server/kline-file.js'
import { writeSampleArchive } from '../src/archive-server/sample.js'
import { syntheticCandles } from '../src/archive-server/synthetic-candles.js'
import { ParquetLake } from '../src/compose-parquet-lake.js'
import { CANDLE_COLUMNS, type NumericType } from '../src/domain/candle.js'
import type { Dataset } from '../src/domain/dataset.js'
import { addMonths } from '../src/domain/month.js'
import { objectKeyOf } from '../src/domain/names.js'
import type { Partition } from '../src/domain/partition.js'
import { FIELDS } from '../src/lake/candle.js'
import { serveArchive } from './archive-process.js'
import type { BenchContext } from './bench.js'
import { runPipeline } from './pipeline-run.js'
import { benchConfig } from './settings.js'

/** One dataset of a lake for the other readers: where its files are, and where what we read of them is written. */
export type ForeignDataset = {
  readonly lake: NumericType
  readonly glob: string
  readonly expected: string
  readonly columns: readonly (readonly [name: string, kind: string])[]
  readonly rows: number
  /** In the order of their paths; `from` is the file's first row among all. */
  readonly files: readonly { readonly path: string; readonly from: number; readonly rows: number }[]
}

/** Files of milliseconds, and of 2025, when spot files changed to microseconds. */
const UM_MONTHS = ['2024-12', '2025-01'] as const
const DATASETS: readonly Dataset[] = ['spot-klines', 'um-klines']

/** An archive of two markets, two symbols, two intervals and three months, with a gap and a stale CHECKSUM. */
export async function archiveOfTwoMarkets(b: BenchContext): Promise<string> {
  const root = join(b.dir, 'archive')
  await writeSampleArchive(root)
  for (const month of UM_MONTHS) {
    const [fromMs, toMs] = [month, addMonths(month, 1)].map((at) => Date.parse(`${at}-01T00:00:00Z`)) as [number, number]
    for (const [interval, stepMs] of [['1m', 60_000], ['1h', 3_600_000]] as const) {
      const rows = syntheticCandles({ seed: fromMs / stepMs, fromMs, toMs, stepMs })
      await writeKlineFile({ root, market: 'um', period: 'monthly', symbol: 'BTCUSDT', interval, label: month, header: true, rows })
    }
  }
  const served = await serveArchive(root)
  b.atEnd(() => served.close())
  return served.url
}

/** The archive's partitions by the whole pipeline; gives the lake's folder. */
export async function lakeByPipeline(b: BenchContext, archiveUrl: string, numericType: NumericType): Promise<string> {
  const home = join(b.dir, numericType)
  const config = await benchConfig({ home, archiveUrl, queueUrl: null, more: { NUMERIC_TYPE: numericType } })
  // Else it would stop and start between the runs.
  const postgres = await acquireEmbeddedPostgres({ home })
  b.atEnd(() => postgres.release())
  for (const interval of ['1m', '1h'] as const) {
    const spot = { symbols: ['BTCUSDT', 'ETHUSDT'], interval, firstMonth: '2024-11', lastMonth: '2025-01', partitions: 6 }
    const um = { symbols: ['BTCUSDT'], interval, firstMonth: UM_MONTHS[0], lastMonth: UM_MONTHS[1], partitions: 2 }
    await runPipeline(config, spot)
    await runPipeline(config, { ...um, dataset: 'um-klines' })
  }
  return join(home, 'lake')
}

/** Reads every dataset of a lake with the library, and writes down each column. */
export async function ourReading(b: BenchContext, root: string, lake: NumericType): Promise<ForeignDataset[]> {
  const opened = await ParquetLake.open<number | string>(root)
  const read: ForeignDataset[] = []
  for (const dataset of DATASETS) {
    const partitions: Partition[] = []
    for await (const partition of opened.list()) if (partition.dataset === dataset) partitions.push(partition)
    const byPath = partitions.map((p) => [join(root, objectKeyOf(p)), p] as const).sort(([a], [c]) => (a < c ? -1 : 1))
    const written = new WrittenColumns(lake)
    const files: ForeignDataset['files'][number][] = []
    for (const [path, partition] of byPath) {
      const from = written.rows
      await written.add(opened, partition)
      files.push({ path, from, rows: written.rows - from })
    }
    const expected = join(b.dir, 'expected', lake, dataset)
    await written.write(expected)
    read.push({ lake, glob: `${root}/${dataset}/**/data.parquet`, expected, columns: written.columns, rows: written.rows, files })
  }
  await opened.close()
  return read
}

/** Columns of many partitions one after the other: eight bytes a value, or a line. */
class WrittenColumns {
  rows = 0
  readonly columns: readonly (readonly [name: string, kind: string])[]
  readonly #pieces = new Map<string, Buffer[]>()

  constructor(numericType: NumericType) {
    this.columns = CANDLE_COLUMNS.map(({ name, kind }) =>
      [name, kind === 'price' || kind === 'amount' ? numericType : kind] as const)
  }

  async add(lake: ParquetLake<number | string>, partition: Partition): Promise<void> {
    const columns = await lake.read(partition).columns()
    const count = columns.openTimeUs.length
    for (const [name, kind] of this.columns) {
      const field = FIELDS.find(([, column]) => column === name)?.[0]
      const values: ArrayLike<unknown> = field === undefined
        ? Array.from({ length: count }, () => (name === 'symbol' ? partition.symbol : partition.interval))
        : columns[field]
      const pieces = this.#pieces.get(name) ?? []
      this.#pieces.set(name, [...pieces, bytesOf(values, kind)])
    }
    this.rows += count
  }

  async write(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true })
    for (const [name, kind] of this.columns) {
      const bytes = Buffer.concat(this.#pieces.get(name) ?? [])
      const isText = kind === 'text' || kind === 'decimal'
      await writeFile(join(folder, isText ? `${name}.txt` : `${name}.i64`), isText ? bytes.subarray(0, -1) : bytes)
    }
  }
}

function bytesOf(values: ArrayLike<unknown>, kind: string): Buffer {
  const all = Array.from(values)
  if (kind === 'double') return Buffer.from(Float64Array.from(all as number[]).buffer)
  if (kind === 'instant' || kind === 'count') return Buffer.from(BigInt64Array.from(all as bigint[], BigInt).buffer)
  return Buffer.from(`${all.join('\n')}\n`)
}
