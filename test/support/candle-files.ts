import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { NumericType } from '../../src/domain/candle.js'
import { CANDLE_COLUMNS, sqlTypeOf } from '../../src/domain/candle.js'
import { gridPointsIn } from '../../src/domain/interval.js'
import { monthRange } from '../../src/domain/month.js'
import { objectKeyOf } from '../../src/domain/names.js'
import { parsePartitionKey } from '../../src/domain/partition.js'

/**
 * Parquet partitions whose values follow from their times, written as the pipeline writes them. `rows` takes so many
 * from the month's beginning; `rowGroup` is rows a row group.
 */
export type WantedFile = {
  readonly numericType?: NumericType
  readonly rows?: number
  readonly rowGroup?: number
  readonly codec?: string
  /** Another expression for a column: `{ close: "'x'" }`; null leaves it out. */
  readonly columns?: Readonly<Record<string, string | null>>
}

export class CandleFiles {
  readonly root: string
  readonly connection: DuckDBConnection

  private constructor(root: string, connection: DuckDBConnection) {
    this.root = root
    this.connection = connection
  }

  static async in(root: string): Promise<CandleFiles> {
    const connection = await (await DuckDBInstance.create(':memory:', { threads: '2' })).connect()
    await connection.run(`SET TimeZone = 'UTC'`)
    return new CandleFiles(root, connection)
  }

  /** Writes `spot-klines/BTCUSDT/1m/2024-01` where the lake has it, and gives its path. */
  async write(partitionKey: string, o: WantedFile = {}): Promise<string> {
    const partition = parsePartitionKey(partitionKey)
    const path = join(this.root, objectKeyOf(partition))
    await mkdir(dirname(path), { recursive: true })
    const range = monthRange(partition.month)
    const { firstUs, count } = gridPointsIn(partition.interval, range)
    const stepUs = count > 1 ? (range.toUs - firstUs) / BigInt(count) : 60_000_000n
    const seed = [...partition.symbol].reduce((sum, letter) => sum + (letter.codePointAt(0) ?? 0), 0)
    const columns = CANDLE_COLUMNS.flatMap(({ name, kind }) => {
      const given = o.columns?.[name]
      if (given === null) return []
      if (given !== undefined) return [`${given} AS "${name}"`]
      return [
        `(${valueOf(name, partition, { firstUs, stepUs, seed })})::${sqlTypeOf(kind, o.numericType ?? 'double')} AS "${name}"`,
      ]
    })
    await this.connection.run(`COPY (SELECT ${columns.join(', ')} FROM range(${o.rows ?? count}) t(i)) TO '${path}'
      (FORMAT parquet, PARQUET_VERSION V2, COMPRESSION ${o.codec ?? 'zstd'}, WRITE_BLOOM_FILTER false, USE_TMP_FILE false,
       ROW_GROUP_SIZE ${o.rowGroup ?? 122_880})`)
    return path
  }

  async query(sql: string): Promise<unknown[][]> {
    return (await this.connection.runAndReadAll(sql)).getRowsJson()
  }

  close(): void {
    this.connection.closeSync()
  }
}

type Base = { readonly firstUs: bigint; readonly stepUs: bigint; readonly seed: number }

function valueOf(name: string, p: { symbol: string; interval: string }, { firstUs, stepUs, seed }: Base): string {
  const openUs = `(${firstUs} + i * ${stepUs})`
  const noise = (salt: number): string => `((hash(i * 31 + ${seed + salt}) % 10000)::BIGINT)`
  switch (name) {
    case 'symbol':
      return `'${p.symbol}'`
    case 'interval':
      return `'${p.interval}'`
    case 'open_time':
      return `make_timestamptz(${openUs})`
    case 'close_time':
      return `make_timestamptz(${openUs} + ${stepUs} - 1000)`
    case 'high':
      return `(2000000 + ${noise(1)} + 20000)::DECIMAL(18,0) / 100`
    case 'low':
      return `(2000000 + ${noise(1)} - 20000)::DECIMAL(18,0) / 100`
    case 'open':
    case 'close':
      return `(2000000 + ${noise(name === 'open' ? 2 : 3)})::DECIMAL(18,0) / 100`
    case 'trades':
      return `1 + ${noise(4)} % 500`
    default:
      return `(${noise(name.length)} * 7)::DECIMAL(18,0) / 1000`
  }
}
