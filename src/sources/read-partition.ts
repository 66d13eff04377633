import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { fileNameOf } from '../domain/archive-names.js'
import type { NumericType } from '../domain/candle.js'
import { PipelineError } from '../domain/errors.js'
import type { Finding } from '../domain/findings.js'
import { gridPointsIn } from '../domain/interval.js'
import { monthRange } from '../domain/month.js'
import type { Partition } from '../domain/partition.js'
import type { ConvertRequest } from '../domain/ports/engine.js'
import { RowMemory, type CandleRows } from './candle-rows.js'
import { CsvSource } from './csv-source.js'
import { digestOf } from './file-digest.js'
import { FindingsLog } from './findings-log.js'
import { putInOrder } from './row-order.js'
import { readMembers, type ZipFile } from './zip-directory.js'
import { inflateMember } from './zip-member.js'

type Staged = ConvertRequest['sources'][number]

/** The rows of a partition, in order and each once, and what was found in its sources. */
export type PartitionRead = {
  readonly rows: CandleRows
  readonly sourceRows: number
  readonly duplicatesDropped: number
  readonly inexactValues: number
  readonly findings: readonly Finding[]
}

/**
 * Reads the ZIPs of a partition: hashes, inflates, checks CRCs, reads and judges every row. One place decides what of
 * an archive file is taken, for the lake and for who reads the archive directly.
 * @throws {CORRUPT, ZIP_CORRUPT, ZIP_REFUSED} @throws {STAGING_LOST} a file is gone or has another SHA-256
 */
export async function readPartition(
  o: { partition: Partition; sources: readonly Staged[]; numericType: NumericType },
  memory = new RowMemory(),
): Promise<PartitionRead> {
  const { partition, sources } = o
  const log = new FindingsLog()
  const range = monthRange(partition.month)
  const points = gridPointsIn(partition.interval, range).count
  const rows = memory.take(o.numericType, points + 16)
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
  return { rows, sourceRows, duplicatesDropped, inexactValues, findings: log.findings }
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
    { at: key, wantHex, gotHex },
  )
}
