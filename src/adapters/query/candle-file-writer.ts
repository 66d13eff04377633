import {
  DOUBLE,
  DuckDBDecimalValue,
  TIMESTAMPTZ,
  timestampTZValue,
  type DuckDBAppender,
  type DuckDBConnection,
} from '@duckdb/node-api'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CANDLE_COLUMNS,
  SCHEMA_VERSION,
  sqlTypeOf,
  type CandleColumn,
  type NumericType,
} from '../../domain/candle.js'
import { PipelineError } from '../../domain/errors.js'
import { monthRange } from '../../domain/month.js'
import { partitionKeyOf, type Partition } from '../../domain/partition.js'
import type { CandleFileWriter, CandleValues } from '../../domain/ports/candle-file-writer.js'
import type { ParquetOptions } from '../../domain/ports/engine.js'
import type { QueryLimits } from '../../domain/ports/query-engine.js'
import { queryFailure } from './duckdb-failure.js'
import { literal, openInstance } from './session.js'

const SCALE = 8
const COLUMNS = CANDLE_COLUMNS.filter((column) => !('constant' in column))

/** Writes the schema and the order that the pipeline writes; a partition's rows are held in memory meanwhile. */
export function openCandleFileWriter(limits: QueryLimits): CandleFileWriter {
  return {
    write: async ({ partition, batches, parquet, signal }) => {
      const dir = await mkdtemp(join(tmpdir(), 'candlelake-write-'))
      const remove = (): Promise<void> => rm(dir, { recursive: true, force: true })
      const instance = await openInstance(limits, { tempDir: dir, external: true })
      try {
        const connection = await instance.connect()
        await connection.run(`SET TimeZone = 'UTC'`)
        await fill(connection, { batches, numericType: parquet.numericType, partition, signal })
        const rows = await check(connection, partition)
        const path = join(dir, `${randomUUID()}.parquet`)
        await connection.run(copyTo(path, { partition, parquet, rows }))
        return { path, rows, remove }
      } catch (thrown) {
        await remove()
        signal.throwIfAborted()
        throw queryFailure(thrown)
      } finally {
        instance.closeSync()
      }
    },
  }
}

type Filling = {
  batches: AsyncIterable<CandleValues>
  numericType: NumericType
  partition: Partition
  signal: AbortSignal
}

async function fill(
  connection: DuckDBConnection,
  { batches, numericType, partition, signal }: Filling,
): Promise<void> {
  const columns = COLUMNS.map(({ name, kind }) => `"${name}" ${sqlTypeOf(kind, numericType)}`)
  await connection.run(`CREATE TABLE given (${columns.join(', ')})`)
  const appender = await connection.createAppender('given')
  for await (const { rows, columns: values } of batches) {
    signal.throwIfAborted()
    for (let row = 0; row < rows; row++) {
      for (const column of COLUMNS)
        append(appender, column, values.get(column.name)?.[row], { numericType, partition })
      appender.endRow()
    }
    appender.flushSync()
  }
  appender.closeSync()
}

function append(
  appender: DuckDBAppender,
  { name, kind }: CandleColumn,
  value: unknown,
  o: { numericType: NumericType; partition: Partition },
): void {
  const odd = (): never => {
    const want = kind === 'instant' ? 'a bigint' : 'a number'
    const message = `${name} should be ${want} and is ${String(value).slice(0, 40)}`
    throw new PipelineError('CORRUPT', message, { at: partitionKeyOf(o.partition), column: name })
  }
  if (kind === 'instant') {
    if (typeof value !== 'bigint') return odd()
    return appender.appendValue(timestampTZValue(value), TIMESTAMPTZ)
  }
  if (kind === 'count') return Number.isSafeInteger(value) ? appender.appendBigInt(BigInt(value as number)) : odd()
  if (o.numericType === 'double')
    return Number.isFinite(value) ? appender.appendValue(value as number, DOUBLE) : odd()
  const parts = /^(-?)(\d{1,30})(?:\.(\d{1,8}))?0*$/.exec(String(value))
  if (!parts) return odd()
  const units = BigInt(`${parts[2] ?? ''}${(parts[3] ?? '').padEnd(SCALE, '0')}`)
  const width = kind === 'price' ? 18 : 38
  if (units >= 10n ** BigInt(width)) return odd()
  appender.appendDecimal(new DuckDBDecimalValue(parts[1] === '-' ? -units : units, width, SCALE))
}

/** The number of rows. @throws {CORRUPT} */
async function check(connection: DuckDBConnection, partition: Partition): Promise<number> {
  const { fromUs, toUs } = monthRange(partition.month)
  const [row = []] = (
    await connection.runAndReadAll(`SELECT count(*)::DOUBLE, count(DISTINCT open_time)::DOUBLE,
    count(*) FILTER (WHERE epoch_us(open_time) < ${fromUs} OR epoch_us(open_time) >= ${toUs})::DOUBLE FROM given`)
  ).getRows()
  const [rows, times, outside] = row as [number, number, number]
  const why =
    rows === 0
      ? 'there are no rows'
      : outside > 0
        ? `${outside} rows lie outside of the month`
        : times < rows
          ? `${rows - times} rows have another's open_time`
          : null
  if (why === null) return rows
  throw new PipelineError('CORRUPT', why, { at: partitionKeyOf(partition), rows })
}

function copyTo(path: string, o: { partition: Partition; parquet: ParquetOptions; rows: number }): string {
  const { codec, level, dataPages } = o.parquet
  const select = CANDLE_COLUMNS.map(({ name }) =>
    name === 'symbol' || name === 'interval' ? `${literal(o.partition[name])} AS "${name}"` : `"${name}"`,
  )
  const metadata = {
    'candlelake.partition': partitionKeyOf(o.partition),
    'candlelake.rows': String(o.rows),
    'candlelake.schema_version': String(SCHEMA_VERSION),
  }
  const entries = Object.entries(metadata).map(([key, value]) => `${literal(key)}: ${literal(value)}`)
  const options = [
    'FORMAT parquet',
    `PARQUET_VERSION ${dataPages === 'v2' ? 'V2' : 'V1'}`,
    `COMPRESSION ${codec}`,
    ...(codec === 'zstd' ? [`COMPRESSION_LEVEL ${level}`] : []),
    'WRITE_BLOOM_FILTER false',
    'USE_TMP_FILE false',
    `KV_METADATA {${entries.join(', ')}}`,
  ]
  return `COPY (SELECT ${select.join(', ')} FROM given ORDER BY open_time) TO ${literal(path)} (${options.join(', ')})`
}
