import { existsSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { fileNameOf } from '../../domain/archive-names.js'
import { SCHEMA_VERSION } from '../../domain/candle.js'
import { PipelineError } from '../../domain/errors.js'
import type { ConvertFigures } from '../../domain/figures.js'
import { gridPointsIn } from '../../domain/interval.js'
import { monthRange } from '../../domain/month.js'
import { partitionKeyOf } from '../../domain/partition.js'
import type { ConvertRequest } from '../../domain/ports/engine.js'
import { integerAt, OPEN_TIME, type CandleRows, type RowMemory } from '../../sources/candle-rows.js'
import type { CandleWriter } from './candle-writer.js'
import { CsvSource } from '../../sources/csv-source.js'
import { digestOf } from '../../sources/file-digest.js'
import { FindingsLog } from '../../sources/findings-log.js'
import { LogicalHash } from './logical-hash.js'
import { putInOrder } from '../../sources/row-order.js'
import { readMembers, type ZipFile } from '../../sources/zip-directory.js'
import { inflateMember } from '../../sources/zip-member.js'

type Staged = ConvertRequest['sources'][number]

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
  const log = new FindingsLog()
  const range = monthRange(partition.month)
  const points = gridPointsIn(partition.interval, range).count
  const rows = memory.take(parquet.numericType, points + 16)
  const maxRows = points * 2 + 100_000
  let inexactValues = 0
  let sourceRows = 0
  for (const staged of sources) {
    const csv = new CsvSource({ rows, log, name: staged.source.key, range, maxRows })
    await readSource(staged, csv, log)
    inexactValues += csv.inexactValues
    sourceRows += csv.rowCount
  }
  const duplicatesDropped = putInOrder(rows, log, sources.map((staged) => staged.source.key).join(', '))
  if (inexactValues > 0) log.add('INEXACT_VALUES', () => `${inexactValues} values of ${sourceRows} rows`, inexactValues)
  await write(request, rows, writer)
  const hash = new LogicalHash()
  hash.add(rows)
  const times = rows.columns[OPEN_TIME]!
  return {
    rows: rows.count,
    sourceRows,
    duplicatesDropped,
    ...digestOf(outPath),
    logicalHash: hash.text,
    firstOpenUs: BigInt(integerAt(times, 0)),
    lastOpenUs: BigInt(integerAt(times, rows.count - 1)),
    inexactValues,
    findings: log.findings,
  }
}

async function readSource({ path, source }: Staged, csv: CsvSource, log: FindingsLog): Promise<void> {
  checkStaged(path, source.sha256Hex, source.key)
  const handle = await open(path)
  try {
    const zip: ZipFile = { path, handle, size: (await handle.stat()).size, name: source.key }
    const [member, twin] = await readMembers(zip)
    if (!member) return
    await inflateMember(zip, member, (piece) => csv.push(piece))
    if (twin) await inflateMember(zip, twin, () => undefined)
    csv.end()
    if (csv.failure) throw csv.failure
    if (twin) log.add('IDENTICAL_MEMBERS', () => `${source.key}: "${member.name}" and "${twin.name}"`)
    if (member.name !== fileNameOf(source.key).replace(/\.zip$/, '.csv')) {
      log.add('MEMBER_NAME_UNUSUAL', () => `${source.key}: "${member.name}"`)
    }
    if (source.checksum === 'missing') log.add('CHECKSUM_MISSING', () => source.key)
    if (source.checksum === 'mismatch') log.add('CHECKSUM_MISMATCH_CONTENT_OK', () => source.key)
  } finally {
    await handle.close()
  }
}

function checkStaged(path: string, wantHex: string, key: string): void {
  const gotHex = existsSync(path) ? digestOf(path).sha256Hex : null
  if (gotHex === wantHex) return
  throw new PipelineError(
    'STAGING_LOST',
    `the staged file of ${key} is ${gotHex === null ? 'gone' : 'not what was downloaded'}`,
    {
      at: key,
      wantHex,
      gotHex,
    },
  )
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
