import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { openApp } from '../src/compose.js'
import { plan as planPartitions } from '../src/workers/plan.js'
import { startRedis } from '../test/support/redis.js'
import type { Bench, BenchContext } from './bench.js'
import { interleaved, timed } from './interleave.js'
import { listedSymbols, standInSymbols, wantedOf, type ListedSymbol } from './listed-series.js'
import { median } from './median.js'
import { inOwnProcess } from './own-process.js'
import { emptyRedis, redisBytes } from './redis-memory.js'
import { benchConfig } from './settings.js'

const LAST_MONTH = '2024-12'
const ROUNDS = 3

type PlanInput = { readonly symbols: readonly ListedSymbol[]; readonly home: string; readonly queueUrl: string | null }
type Planned = { readonly seconds: number; readonly partitions: number; readonly waiting: number }

/** Planning and enqueueing every month of every symbol that the archive has, 1h and 1d. */
export const plan: Bench = async (b) => {
  const symbols = await symbolsFor(b)
  const redis = await startRedis()
  b.atEnd(() => redis.stop())
  const peaks: number[] = []
  const redisBytesEach: number[] = []
  let partitions = 0
  const run = (queueUrl: string | null) => async (): Promise<number> => {
    await emptyRedis(redis.url)
    const before = await redisBytes(redis.url)
    const home = await mkdtemp(join(b.dir, 'home-'))
    const { value, peakRssBytes } = await inOwnProcess<Planned>(import.meta.url, 'planAll', { symbols, home, queueUrl })
    if (value.waiting !== value.partitions) throw new Error(`${value.waiting} jobs wait for ${value.partitions} partitions`)
    if (queueUrl !== null) redisBytesEach.push(((await redisBytes(redis.url)) - before) / value.partitions)
    await rm(home, { recursive: true, force: true })
    peaks.push(peakRssBytes)
    partitions = value.partitions
    return value.seconds
  }
  const seconds = await interleaved(b.rounds ?? (b.small ? 1 : ROUNDS), { redis: run(redis.url), embedded: run(null) }, b.say)
  b.figure('partitions', partitions, 'partitions')
  b.figure('redis', median(seconds.redis), 's', { atMost: 30 })
  b.figure('embedded', median(seconds.embedded), 's', { atMost: 30 })
  b.figure('peak-rss', Math.max(...peaks) / 1e6, 'MB', { atMost: 400 })
  b.figure('redis-memory', median(redisBytesEach), 'B/partition', { atMost: 1_000 })
}

async function symbolsFor(b: BenchContext): Promise<ListedSymbol[]> {
  const root = process.env['REAL_ARCHIVE_DIR']
  const symbols = root === undefined ? standInSymbols() : await listedSymbols(root)
  const of = root === undefined ? 'a generated stand-in: REAL_ARCHIVE_DIR is not set' : 'reference/archive_earliest_dates_*.csv'
  const used = b.small ? symbols.filter((_, i) => i % 20 === 0) : symbols
  b.say(`data: ${used.length} symbols, 1h and 1d, every month to ${LAST_MONTH}; ${of}`)
  b.say('settings: the planning process is a fresh one, the catalog an embedded Postgres that is empty, in both')
  return used
}

/** Runs in a process of its own: plans everything, counts what waits in the queue. */
export async function planAll({ symbols, home, queueUrl }: PlanInput): Promise<Planned> {
  const config = await benchConfig({ home, archiveUrl: 'http://127.0.0.1:9', queueUrl })
  const log = { debug: () => undefined, info: () => undefined, warn: console.error, error: console.error }
  const app = openApp({ config, log, observe: () => undefined })
  try {
    const ports = { plan: await app.plans(), queue: await app.queue() }
    let partitions = 0
    const seconds = await timed(async () => {
      const run = await ports.plan.createRun({ kind: 'backfill', request: {} })
      partitions = (await planPartitions(wantedOf(symbols, LAST_MONTH), ports, { run })).todo
    })
    const { download } = await ports.queue.counts()
    return { seconds, partitions, waiting: download.waiting }
  } finally {
    await app.close()
  }
}
