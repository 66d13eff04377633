import { join } from 'node:path'
import { openEngine, type EnginePool } from '../src/adapters/engine/engine-pool.js'
import type { ConvertFigures } from '../src/domain/figures.js'
import { revisionOf } from '../src/domain/source.js'
import type { ConvertRequest, ParquetOptions } from '../src/domain/ports/engine.js'
import { atMost } from './at-most.js'
import type { Bench, BenchContext } from './bench.js'
import { compressionOfRealFiles } from './compression.js'
import { generateKlines, longMonthsFrom, type MadeKlines } from './generated-klines.js'
import { interleaved, ratioOf, timed } from './interleave.js'
import { median } from './median.js'
import { openPolars } from './polars-slots.js'
import { cpuSecondsOf, peakRssOf } from './process-figures.js'

const SLOTS = 2
const MONTHS = 12
/** Of a month of 31 days. */
const ROWS = 44_640
const ROUNDS = 11
const MIB = 1024 ** 2
const LIMITS = { memoryBytes: 512 * MIB, tempBytes: 4 * 1024 * MIB }
const PARQUET: ParquetOptions = { numericType: 'double', codec: 'zstd', level: 3, dataPages: 'v2' }

/** Converting months of 1m by the engine, all checks on, side by side with nodejs-polars. */
export const convert: Bench = async (b) => {
  const made = await generateKlines({
    root: b.dir, interval: '1m', symbols: ['S0000USDT'], months: longMonthsFrom('2022-01', b.small ? 4 : MONTHS),
  })
  b.say(`data: ${made.files.length} generated months of 1m, ${made.rows} rows, ${made.csvBytes} bytes of CSV, ${made.zipBytes} of ZIP`)
  await compare(b, made)
  await compressionOfRealFiles(b, PARQUET)
}

async function compare(b: BenchContext, made: MadeKlines): Promise<void> {
  const engine = openEngine({ slots: SLOTS, ...LIMITS })
  b.atEnd(() => engine.close())
  const polars = openPolars(SLOTS, b.polars)
  b.atEnd(() => polars.close())
  b.say(`settings: ${SLOTS} processes of 1 thread each for all; double, zstd level 3, pages v2; nodejs-polars ${polars.version}`)
  const requests = made.files.map((file, i) => requestOf(file, join(b.dir, `${i}.parquet`)))
  let bytesOut = 0
  const runEngine = async (): Promise<void> => {
    bytesOut = (await convertAll(engine, requests)).reduce((sum, one) => sum + one.bytes, 0)
  }
  const runPolars = (work: 'bare' | 'checked') => (): Promise<void> => polars.run(
    made.files.map(({ path, sha256Hex }, i) => ({ zip: path, sha256Hex, work, out: join(b.dir, `${i}.polars.parquet`) })),
  )
  const sides = { bare: runPolars('bare'), ours: runEngine, checked: runPolars('checked') }
  for (const run of Object.values(sides)) await run() // processes start, code gets compiled
  const cpu = { bare: 0, ours: 0, checked: 0 }
  const counted = (side: keyof typeof sides, pids: () => readonly number[]) => async (): Promise<number> => {
    const before = cpuSecondsOf(pids())
    const seconds = await timed(sides[side])
    cpu[side] += cpuSecondsOf(pids()) - before
    return seconds
  }
  const seconds = await interleaved(b.rounds ?? (b.small ? 3 : ROUNDS), {
    bare: counted('bare', () => polars.pids),
    ours: counted('ours', () => engine.pids),
    checked: counted('checked', () => polars.pids),
  }, b.say)
  b.figure('vs-bare-polars', ratioOf(seconds.bare, seconds.ours), 'x', { atLeast: 1 })
  b.figure('vs-checked-polars', ratioOf(seconds.checked, seconds.ours), 'x', { atLeast: 1.2 })
  b.figure('cpu-vs-bare-polars', cpu.bare / cpu.ours, 'x')
  b.figure('cpu-vs-checked-polars', cpu.checked / cpu.ours, 'x')
  b.figure('rows', made.rows / median(seconds.ours), 'row/s')
  b.figure('csv', made.csvBytes / MIB / median(seconds.ours), 'MiB/s')
  b.figure('generated.zip-over-parquet', made.zipBytes / bytesOut, 'x')
  const peak = peakRssOf([process.pid, ...engine.pids])
  if (peak !== null) b.figure('peak-rss', peak / 1e6, 'MB', { atMost: 600 })
  else b.say('peak-rss: not measured, this system has no /proc')
}

/** As workers do it: a request a slot. What the engine gives is looked at: rows that are missing would be fast. */
async function convertAll(engine: EnginePool, requests: readonly ConvertRequest[]): Promise<ConvertFigures[]> {
  const inSlot = atMost(SLOTS)
  return Promise.all(requests.map((request) => inSlot(async () => {
    const figures = await engine.convert(request, new AbortController().signal)
    const found = figures.findings.map(({ code }) => code).filter((code) => code !== 'INEXACT_VALUES')
    if (figures.rows === ROWS && found.length === 0) return figures
    throw new Error(`${request.outPath} has ${figures.rows} rows and the findings [${found.join(', ')}]`)
  })))
}

function requestOf({ key, path, sha256Hex, zipBytes }: MadeKlines['files'][number], outPath: string): ConvertRequest {
  const source = {
    key, etag: null, lastModified: null, bytes: zipBytes, sha256Hex, checksum: 'ok', checksumHex: sha256Hex,
    range: { fromUs: 0n, toUs: 0n },
  } as const
  return {
    partition: { dataset: 'spot-klines', symbol: 'S0000USDT', interval: '1m', month: key.slice(-11, -4) },
    sources: [{ path, source }], outPath, scratch: join(outPath, '..'), revision: revisionOf([source], 'double'), parquet: PARQUET,
  }
}
