import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { CANDLE_COLUMNS, SCHEMA_VERSION } from '../../domain/candle.js'
import { diskFull } from '../../domain/disk-full.js'
import type { Partition } from '../../domain/partition.js'
import type { ParquetOptions } from '../../domain/ports/engine.js'
import type { OpenRange } from '../../domain/range.js'
import type { CandleRows } from '../../sources/candle-rows.js'
import { CandleWriter, codecOptions } from './candle-writer.js'
import { engineError, literal, openSession, type SessionLimits } from './duckdb-session.js'

/** Writes Parquet in this process: parts out of rows, and one file out of parts. DuckDB is opened at the first use. */
export interface ParquetMerger {
  /** One part in `folder`; gives its path. */
  part(o: { folder: string; partition: Partition; rows: CandleRows }): Promise<string>
  /**
   * The rows of all parts that open in the range, in the order of the parts, in the lake's schema; gives how many.
   * @throws {DISK_FULL}
   */
  merge(o: { paths: readonly string[]; range: OpenRange; path: string; signal: AbortSignal }): Promise<number>
  close(): void
}

export function openParquetMerger(limits: SessionLimits, parquet: ParquetOptions): ParquetMerger {
  let opening: Promise<DuckDBConnection> | undefined
  const session = (): Promise<DuckDBConnection> => (opening ??= openSession(limits))
  let writer: Promise<CandleWriter> | undefined
  let parts = 0
  return {
    part: async ({ folder, partition, rows }) => {
      const path = join(folder, `part-${parts++}.parquet`)
      await (await (writer ??= session().then((one) => new CandleWriter(one)))).write({
        rows, partition, path, parquet, metadata: METADATA,
      })
      return path
    },
    merge: async (o) => await merge(await session(), parquet, o),
    close: () => void opening?.then((one) => one.closeSync(), () => undefined),
  }
}

const METADATA = { 'candlelake.schema_version': String(SCHEMA_VERSION) }

async function merge(
  connection: DuckDBConnection,
  parquet: ParquetOptions,
  { paths, range, path, signal }: Parameters<ParquetMerger['merge']>[0],
): Promise<number> {
  const columns = CANDLE_COLUMNS.map(({ name }) => `"${name}"`).join(', ')
  const metadata = Object.entries(METADATA).map(([key, value]) => `${literal(key)}: ${literal(value)}`)
  const options = [
    'FORMAT parquet', `PARQUET_VERSION ${parquet.dataPages === 'v2' ? 'V2' : 'V1'}`, ...codecOptions(parquet),
    'WRITE_BLOOM_FILTER false', 'USE_TMP_FILE false', `KV_METADATA {${metadata.join(', ')}}`,
  ]
  const files = `read_parquet([${paths.map(literal).join(', ')}], hive_partitioning = false)`
  const interrupt = (): void => connection.interrupt()
  signal.addEventListener('abort', interrupt, { once: true })
  try {
    signal.throwIfAborted()
    const copy = `COPY (SELECT ${columns} FROM ${files} ${where(range)}) TO ${literal(path)} (${options.join(', ')})`
    const [counted] = (await connection.runAndReadAll(copy)).getRows()
    return Number(counted?.[0])
  } catch (thrown) {
    await rm(path, { force: true })
    signal.throwIfAborted()
    throw diskFull(thrown, path) ?? engineError(thrown, 'writing the file')
  } finally {
    signal.removeEventListener('abort', interrupt)
  }
}

function where({ fromUs, toUs }: OpenRange): string {
  const ends = [
    ...(fromUs === null ? [] : [`open_time >= make_timestamptz(${fromUs})`]),
    ...(toUs === null ? [] : [`open_time < make_timestamptz(${toUs})`]),
  ]
  return ends.length === 0 ? '' : `WHERE ${ends.join(' AND ')}`
}
