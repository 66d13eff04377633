import { rename, rm } from 'node:fs/promises'
import { SCHEMA_VERSION } from '../../domain/candle.js'
import type { ConvertFigures } from '../../domain/figures.js'
import { partitionKeyOf } from '../../domain/partition.js'
import type { ConvertRequest } from '../../domain/ports/engine.js'
import { integerAt, OPEN_TIME, type CandleRows, type RowMemory } from '../../sources/candle-rows.js'
import { digestOf } from '../../sources/file-digest.js'
import { readPartition } from '../../sources/read-partition.js'
import type { CandleWriter } from './candle-writer.js'
import { LogicalHash } from './logical-hash.js'

/** Where a Parquet file grows before it takes its name. */
export const partialOf = (outPath: string): string => `${outPath}.partial`

/**
 * ZIPs to one Parquet file, as `CandleEngine.convert` promises. One pass: the bytes of each source are hashed,
 * inflated, CRC-checked, read and judged by our own reader, and DuckDB writes the rows. So what the lake holds is
 * decided in one place for good and bad files alike, and the logical hash is of the values read, not of the file
 * written: when verify computes it from the published object, it compares source and lake.
 */
export async function convertPartition(
  request: ConvertRequest,
  writer: CandleWriter,
  memory: RowMemory,
): Promise<ConvertFigures> {
  const { partition, sources, outPath, parquet } = request
  const read = await readPartition({ partition, sources, numericType: parquet.numericType }, memory)
  const { rows } = read
  await write(request, rows, writer)
  const hash = new LogicalHash()
  hash.add(rows)
  const times = rows.columns[OPEN_TIME]!
  return {
    rows: rows.count,
    sourceRows: read.sourceRows,
    duplicatesDropped: read.duplicatesDropped,
    ...digestOf(outPath),
    logicalHash: hash.text,
    firstOpenUs: BigInt(integerAt(times, 0)),
    lastOpenUs: BigInt(integerAt(times, rows.count - 1)),
    inexactValues: read.inexactValues,
    findings: read.findings,
  }
}

async function write(request: ConvertRequest, rows: CandleRows, writer: CandleWriter): Promise<void> {
  const path = partialOf(request.outPath)
  const sources = request.sources.map(({ source }) => ({ key: source.key, sha256Hex: source.sha256Hex }))
  const metadata = {
    'candlelake.partition': partitionKeyOf(request.partition),
    'candlelake.revision': request.revision,
    'candlelake.rows': String(rows.count),
    'candlelake.schema_version': String(SCHEMA_VERSION),
    'candlelake.sources': JSON.stringify(sources),
  }
  try {
    await writer.write({ rows, partition: request.partition, path, parquet: request.parquet, metadata })
    await rename(path, request.outPath)
  } catch (thrown) {
    await rm(path, { force: true })
    throw thrown
  }
}
