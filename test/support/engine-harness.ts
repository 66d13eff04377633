import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dailyKeyOf, monthlyKeyOf } from '../../src/domain/archive-names.js'
import type { NumericType } from '../../src/domain/candle.js'
import { monthRange } from '../../src/domain/month.js'
import { parsePartitionKey, type Partition } from '../../src/domain/partition.js'
import type { ConvertRequest, ParquetOptions } from '../../src/domain/ports/engine.js'
import type { ChecksumOutcome, Source } from '../../src/domain/source.js'
import { syntheticCandles } from '../../src/archive-server/synthetic-candles.js'
import { canonical, expectedValue, type OracleRow } from './csv-oracle.js'
import { buildZip } from './zip-builder.js'

export const HOURS: Partition = parsePartitionKey('spot-klines/BTCUSDT/1h/2024-01')
const HOUR_MS = 3_600_000

/** CSV lines of `count` hours from the start of 2024-01. */
export function hourLines(count: number, unit: 'ms' | 'us' = 'ms'): string[] {
  const fromMs = Date.UTC(2024, 0, 1)
  return [...syntheticCandles({ seed: 7, fromMs, toMs: fromMs + count * HOUR_MS, stepMs: HOUR_MS, unit, price: 500 })]
}

/** The lines with one field of one row replaced. */
export function withCell(lines: readonly string[], row: number, field: number, text: string): string[] {
  return lines.map((line, index) =>
    index === row
      ? line
          .split(',')
          .map((cell, f) => (f === field ? text : cell))
          .join(',')
      : line,
  )
}

export const csvOf = (lines: readonly string[]): Buffer => Buffer.from(`${lines.join('\n')}\n`, 'latin1')

export const parquetOptions = (numericType: NumericType): ParquetOptions => ({
  numericType,
  codec: 'zstd',
  level: 3,
  dataPages: 'v2',
})

export const memberNameOf = (p: Partition): string => `${p.symbol}-${p.interval}-${p.month}.csv`

export const zipOf = (content: Buffer, name = memberNameOf(HOURS)): Buffer => buildZip([{ name, content }])

/** A source file to be staged: its bytes, and what is different from a monthly ZIP with a good CHECKSUM. */
export type StagedBytes = {
  readonly zip: Buffer
  readonly checksum?: ChecksumOutcome
  readonly day?: string
  readonly sha256Hex?: string
}

/** A temporary folder with staged sources in it, that makes requests. */
export class EngineFolder {
  readonly path: string
  #made = 0

  private constructor(path: string) {
    this.path = path
  }

  static async make(): Promise<EngineFolder> {
    return new EngineFolder(await mkdtemp(join(tmpdir(), 'candlelake-engine-')))
  }

  async request(
    staged: readonly StagedBytes[],
    o: { partition?: Partition; numericType?: NumericType } = {},
  ): Promise<ConvertRequest> {
    const partition = o.partition ?? HOURS
    const made = ++this.#made
    const sources = await Promise.all(
      staged.map(async (one, index) => {
        const path = join(this.path, `${made}-${index}.zip`)
        await writeFile(path, one.zip)
        return { path, source: sourceOf(partition, one) }
      }),
    )
    const outPath = join(this.path, `${made}.parquet`)
    return {
      partition,
      sources,
      outPath,
      scratch: this.path,
      revision: 'f'.repeat(64),
      parquet: parquetOptions(o.numericType ?? 'double'),
    }
  }

  /** Removes the files of all requests so far. */
  async clear(): Promise<void> {
    for (const name of await readdir(this.path)) await rm(join(this.path, name), { force: true })
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
  }
}

function sourceOf(partition: Partition, { zip, checksum = 'ok', day, sha256Hex }: StagedBytes): Source {
  const hex = sha256Hex ?? createHash('sha256').update(zip).digest('hex')
  const key = day === undefined ? monthlyKeyOf(partition) : dailyKeyOf(partition, day)
  return {
    key,
    etag: null,
    lastModified: null,
    bytes: zip.length,
    sha256Hex: hex,
    checksum,
    checksumHex: checksum === 'missing' ? null : hex,
    range: monthRange(partition.month),
  }
}

const VALUE_COLUMNS = [
  'open',
  'high',
  'low',
  'close',
  'volume',
  'quote_volume',
  'trades',
  'taker_buy_volume',
  'taker_buy_quote_volume',
]

/** Reads Parquet files by SQL, to compare them with an oracle. */
export class ParquetReader {
  readonly #connection: DuckDBConnection

  private constructor(connection: DuckDBConnection) {
    this.#connection = connection
  }

  static async open(): Promise<ParquetReader> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
    const connection = await instance.connect()
    await connection.run(`SET TimeZone = 'UTC'`)
    return new ParquetReader(connection)
  }

  /** Rows in the order of the file; doubles as JavaScript prints them, decimals without idle zeros. */
  async rows(path: string): Promise<OracleRow[]> {
    const columns = VALUE_COLUMNS.map((name) =>
      name === 'trades' ? 'trades::VARCHAR' : `CASE WHEN typeof(${name}) = 'DOUBLE' THEN ${name} END, ${name}::VARCHAR`,
    )
    const reader = await this.#connection.runAndReadAll(
      `SELECT epoch_us(open_time), epoch_us(close_time), ${columns.join(', ')} FROM read_parquet('${path}')`,
    )
    return reader
      .getRows()
      .map(([openUs, closeUs, ...cells]) => ({
        openUs: openUs as bigint,
        closeUs: closeUs as bigint,
        values: valuesOf(cells),
      }))
  }

  async query(sql: string): Promise<unknown[][]> {
    return (await this.#connection.runAndReadAll(sql)).getRowsJson()
  }

  close(): void {
    this.#connection.closeSync()
  }
}

function valuesOf(cells: readonly unknown[]): string[] {
  const values: string[] = []
  for (let at = 0; at < cells.length;) {
    if (values.length === 6) values.push(cells[at++] as string)
    else {
      const [double, text] = [cells[at++], cells[at++]]
      values.push(typeof double === 'number' ? String(double) : canonical(text as string))
    }
  }
  return values
}

/** The rows that a lake of this type must hold for those of the oracle. */
export const expectedRows = (rows: readonly OracleRow[], numericType: NumericType): OracleRow[] =>
  rows.map((row) => ({
    ...row,
    values: row.values.map((value, index) => (index === 6 ? value : expectedValue(value, numericType))),
  }))
