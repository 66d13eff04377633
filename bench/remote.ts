import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { openEngine } from '../src/adapters/engine/engine-pool.js'
import { startArchiveServer } from '../src/archive-server/server.js'
import { openRemoteFile } from '../src/compose-lake.js'
import { parseArchiveKey } from '../src/domain/archive-names.js'
import { revisionOf } from '../src/domain/source.js'
import type { Bench, BenchContext } from './bench.js'
import { serveArchive } from './archive-process.js'
import { generateKlines } from './generated-klines.js'
import { interleaved, timed } from './interleave.js'
import { median } from './median.js'

const MONTH = '2024-01'
const DAY = { fromUs: BigInt(Date.UTC(2024, 0, 15)) * 1_000n, toUs: BigInt(Date.UTC(2024, 0, 16)) * 1_000n }
const COLUMNS = ['open_time', 'close']
const TRIP_MS = 1_000
const LATENCY_MS = 50
const BYTES_PER_SECOND = 12_500_000
const ROUNDS = 5

/** Two columns of one day out of a month of 1s candles over HTTP, against downloading the file first. */
export const remote: Bench = async (b) => {
  const root = join(b.dir, 'served')
  const key = 'data/month.parquet'
  const rows = await makeMonth(b, join(root, key))
  const { size } = await stat(join(root, key))
  b.say(`data: ${rows} generated 1s candles of one month, converted by the pipeline's own engine: ${size} bytes`)
  await countedRead(b, { root, key, size })
  await slowRead(b, { root, key, size })
}

/** The bytes and requests, by the server's own log. */
async function countedRead(b: BenchContext, o: { root: string; key: string; size: number }): Promise<void> {
  // Each answer comes so late that the time tells how many had to wait for one another.
  const server = await startArchiveServer({ root: o.root, faults: { latencyMs: TRIP_MS } })
  b.atEnd(() => server.close())
  const cacheDir = join(b.dir, 'cache-counted')
  const read = async (): Promise<{ requests: number; bytes: number; trips: number; rows: number }> => {
    server.requests.length = 0
    const file = await openRemoteFile(`${server.url}/${o.key}`, { cacheDir })
    const startedMs = performance.now()
    const { close } = await file.read<{ close: number }>({ columns: COLUMNS, ...DAY }).columns()
    const trips = Math.floor((performance.now() - startedMs) / TRIP_MS)
    await file.close()
    const bytes = server.requests.reduce((sum, request) => sum + request.bytes, 0)
    return { requests: server.requests.length, bytes, trips, rows: close.length }
  }
  const cold = await read()
  const warm = await read()
  b.say(`rows of the day: ${cold.rows}, ${server.url} log: ${cold.requests} requests cold, ${warm.requests} warm`)
  b.figure('cold.bytes', (cold.bytes / o.size) * 100, '%', { atMost: 5 })
  b.figure('cold.requests', cold.requests, 'requests', { atMost: 8 })
  b.figure('cold.round-trips', cold.trips, 'trips', { atMost: 3 })
  b.figure('warm.bytes', warm.bytes, 'B', { atMost: 0 })
}

/** The time, with latency and bandwidth of a server in a process of its own. */
async function slowRead(b: BenchContext, o: { root: string; key: string; size: number }): Promise<void> {
  const server = await serveArchive(o.root, [
    '--latency-ms',
    String(LATENCY_MS),
    '--bytes-per-second',
    String(BYTES_PER_SECOND),
  ])
  b.atEnd(() => server.close())
  b.say(
    `settings: ${LATENCY_MS} ms before each answer, ${BYTES_PER_SECOND} bytes a second for each answer, ` +
      'an empty cache each round',
  )
  const connection = await (await DuckDBInstance.create(':memory:', { threads: '2' })).connect()
  const url = `${server.url}/${o.key}`
  const results = new Set<string>()
  let bytesRead = 0
  const ranges = async (round: number): Promise<number> =>
    await timed(async () => {
      const file = await openRemoteFile(url, { cacheDir: join(b.dir, `cache-${round}`), threads: 2 })
      const result = file.read<{ close: number }>({ columns: COLUMNS, ...DAY })
      const { close } = await result.columns()
      results.add(sumOf(close))
      bytesRead = (await result.cost).bytesRead
      await file.close()
    })
  const download = async (round: number): Promise<number> =>
    await timed(async () => {
      const path = join(b.dir, `download-${round}.parquet`)
      const answer = await fetch(url)
      await pipeline(Readable.fromWeb(answer.body as never), createWriteStream(path))
      results.add(await sumByHand(connection, path))
      await rm(path)
    })
  const seconds = await interleaved(b.rounds ?? (b.small ? 1 : ROUNDS), { ranges, download }, b.say)
  connection.closeSync()
  if (results.size !== 1) throw new Error(`the answers differ: ${[...results].join(' and ')}`)
  const [ours, theirs] = [median(seconds.ranges), median(seconds.download)]
  b.figure('slow.ranges', ours, 's')
  b.figure('slow.download', theirs, 's')
  b.figure('slow.speedup', theirs / ours, 'x', { atLeast: 10 })
  // The server limits each answer by itself: as if all of ours had come one after the other over the same line.
  b.figure('slow.speedup-one-line', theirs / (ours + bytesRead / BYTES_PER_SECOND), 'x', { atLeast: 10 })
}

const sumOf = (values: ArrayLike<number>): string => {
  let cents = 0
  for (let i = 0; i < values.length; i++) cents += Math.round(values[i]! * 100)
  return `${values.length} ${cents}`
}

async function sumByHand(connection: DuckDBConnection, path: string): Promise<string> {
  const rows = await connection.runAndReadAll(`SELECT open_time, close FROM read_parquet('${path}')
    WHERE open_time >= make_timestamptz(${DAY.fromUs}) AND open_time < make_timestamptz(${DAY.toUs})`)
  return sumOf(rows.getColumnsObject()['close'] as number[])
}

/** Generates the month and converts it; gives its rows. */
async function makeMonth(b: BenchContext, outPath: string): Promise<number> {
  await mkdir(join(outPath, '..'), { recursive: true })
  const made = await generateKlines({
    root: join(b.dir, 'archive'),
    interval: '1s',
    symbols: ['S0001USDT'],
    months: [MONTH],
  })
  const { key } = made.files[0]!
  const path = join(b.dir, 'archive', key)
  const zip = await readFile(path)
  const sha256Hex = createHash('sha256').update(zip).digest('hex')
  const named = parseArchiveKey(key)
  if (named?.period !== 'monthly') throw new Error(`${key} is no month`)
  const source = {
    key,
    etag: null,
    lastModified: null,
    bytes: zip.length,
    sha256Hex,
    checksum: 'ok',
    checksumHex: sha256Hex,
    range: { fromUs: 0n, toUs: 0n },
  } as const
  const parquet = { numericType: 'double', codec: 'zstd', level: 3, dataPages: 'v2' } as const
  const engine = openEngine({ slots: 1, memoryBytes: 1024 ** 3, tempBytes: 1024 ** 3 })
  try {
    const { rows } = await engine.convert(
      {
        partition: { ...named.series, month: named.month },
        sources: [{ path, source }],
        outPath,
        scratch: b.dir,
        revision: revisionOf([source], parquet.numericType),
        parquet,
      },
      new AbortController().signal,
    )
    return rows
  } finally {
    await engine.close()
  }
}
