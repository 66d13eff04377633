import { crc32 } from 'node:zlib'
import { openEngine } from '../../src/adapters/engine/engine-pool.js'
import type { NumericType } from '../../src/domain/candle.js'
import { PipelineError } from '../../src/domain/errors.js'
import { monthRange } from '../../src/domain/month.js'
import { randomOf } from '../../src/archive-server/random.js'
import { readWithOracle } from './csv-oracle.js'
import {
  csvOf,
  EngineFolder,
  expectedRows,
  HOURS,
  hourLines,
  ParquetReader,
  zipOf,
  type StagedBytes,
} from './engine-harness.js'

/** What a campaign saw: how many mutations ended how, and what must be none. */
export type MutationReport = {
  readonly converted: number
  readonly refused: Readonly<Record<string, number>>
  /** Conversions whose rows are not the oracle's, and errors that name no fault of the file. */
  readonly violations: readonly string[]
}

type Mutation = {
  readonly what: string
  readonly staged: StagedBytes
  readonly csv: Buffer
  readonly numericType: NumericType
}

const REFUSALS = new Set(['CORRUPT', 'ZIP_CORRUPT', 'ZIP_REFUSED'])
/** What damage to a CSV is made of: the bytes that mean something to one reader or another. */
const BYTES = '0123456789.,-+eE \t\r\n"\'_xnaif;\u0000\u00ef\u00ff'

/**
 * Mutates a good ZIP `count` times (bits, cuts, insertions; in the ZIP, or in its CSV with the CRC made right again)
 * and converts each: a conversion must hold exactly the rows that the oracle reads from the same CSV. Same seed, same
 * mutations.
 */
export async function runMutations(o: { count: number; seed: number }): Promise<MutationReport> {
  const folder = await EngineFolder.make()
  const engine = openEngine({ slots: 1, memoryBytes: 200_000_000, tempBytes: 50_000_000 })
  const reader = await ParquetReader.open()
  const report = { converted: 0, refused: {} as Record<string, number>, violations: [] as string[] }
  const random = randomOf(o.seed)
  const one = async (): Promise<void> => {
    const mutation = mutate(random)
    const request = await folder.request([mutation.staged], mutation)
    const outcome = await engine.convert(request, new AbortController().signal).catch((thrown: unknown) => thrown)
    const code = outcome instanceof PipelineError ? outcome.code : outcome instanceof Error ? outcome.name : null
    if (code === null) {
      report.converted++
      if (!(await holds(reader, request.outPath, mutation))) report.violations.push(`${mutation.what}: other rows`)
    } else {
      report.refused[code] = (report.refused[code] ?? 0) + 1
      if (!REFUSALS.has(code)) report.violations.push(`${mutation.what}: ${String(outcome)}`)
    }
    await folder.clear()
  }
  try {
    for (let done = 0; done < o.count; done++) await one()
  } finally {
    await engine.close()
    reader.close()
    await folder.remove()
  }
  return report
}

async function holds(reader: ParquetReader, path: string, { csv, numericType }: Mutation): Promise<boolean> {
  const oracle = readWithOracle(csv, monthRange(HOURS.month))
  if (oracle === null) return false
  return text(await reader.rows(path)) === text(expectedRows(oracle, numericType))
}

const text = (rows: readonly unknown[]): string =>
  JSON.stringify(rows, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))

const LINES = hourLines(24)
const CSV = csvOf(LINES)
const ZIP = zipOf(CSV)

function mutate(random: () => number): Mutation {
  const numericType = random() < 0.5 ? 'double' : 'decimal'
  const checksum = random() < 0.5 ? 'ok' : 'missing'
  const inZip = random() < 0.3
  const { bytes, what } = damage(inZip ? ZIP : CSV, random)
  if (inZip) return { what: `ZIP: ${what}`, staged: { zip: bytes, checksum }, csv: CSV, numericType }
  return {
    what: `CSV (${crc32(bytes).toString(16)}): ${what}`,
    staged: { zip: zipOf(bytes), checksum },
    csv: bytes,
    numericType,
  }
}

function damage(good: Buffer, random: () => number): { bytes: Buffer; what: string } {
  let bytes: Buffer = Buffer.from(good)
  const done: string[] = []
  for (let times = 1 + Math.floor(random() * 2); times > 0; times--) {
    const at = Math.floor(random() * bytes.length)
    const kind = Math.floor(random() * 6)
    const byte = BYTES.charCodeAt(Math.floor(random() * BYTES.length))
    const length = 1 + Math.floor(random() ** 3 * 200)
    const from = Math.floor(random() * bytes.length)
    if (kind === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8))
    else if (kind === 1) bytes[at] = byte
    else if (kind === 2) bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from([byte]), bytes.subarray(at)])
    else if (kind === 3) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
    else if (kind === 4) bytes = Buffer.from(bytes.subarray(0, at))
    else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(from, from + length), bytes.subarray(at)])
    done.push(`${['bit', 'byte', 'insert', 'cut', 'end', 'repeat'][kind] ?? ''} at ${at}`)
    if (bytes.length === 0) return { bytes, what: done.join(', ') }
  }
  return { bytes, what: done.join(', ') }
}
