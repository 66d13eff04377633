import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Interval } from '../src/domain/interval.js'
import type { Partition } from '../src/domain/partition.js'
import { startRedis, type TestRedis } from '../test/support/redis.js'
import { serveArchive } from './archive-process.js'
import { runBareLoop } from './bare-loop.js'
import type { Bench, BenchContext } from './bench.js'
import { generateKlines, monthsFrom, symbolNames } from './generated-klines.js'
import { interleaved, ratioOf, timed } from './interleave.js'
import { median } from './median.js'
import { emptyRedis } from './redis-memory.js'
import { runPipeline, type PipelineTimes, type WantedRun } from './pipeline-run.js'
import { benchConfig, concurrencyLine } from './settings.js'

type Backend = 'redis' | 'embedded'

/** Partitions of one interval, generated, and what may be asked of the pipeline over them. */
type Part = {
  readonly interval: '1m' | '1h'
  readonly symbols: number
  readonly months: number
  readonly rounds: number
  readonly atMost: Readonly<Record<Backend, number>>
}

const PARTS: Readonly<Record<string, Part>> = {
  '1m': { interval: '1m', symbols: 6, months: 12, rounds: 5, atMost: { redis: 1.15, embedded: 1.3 } },
  '1h': { interval: '1h', symbols: 20, months: 24, rounds: 5, atMost: { redis: 1.5, embedded: 2 } },
}
/** Small partitions: months of 1d, of some 30 rows. */
const GROWTH = { few: 1_000, many: 10_000, months: 50, atMost: 11 } as const
const FIRST_MONTH = '2020-01'

/** The pipeline against a bare loop over the same functions, and how its time grows with the number of partitions. */
export const backfill: Bench = async (b) => {
  const redis = await startRedis()
  b.atEnd(() => redis.stop())
  const asked = (name: string): boolean => b.parts.length === 0 || b.parts.includes(name)
  for (const [name, part] of Object.entries(PARTS)) if (asked(name)) await overhead(b, name, part, redis)
  for (const backend of ['redis', 'embedded'] as const) {
    if (asked('growth') || asked(`growth-${backend}`)) await growth(b, backend, redis)
  }
}

async function overhead(b: BenchContext, name: string, part: Part, redis: TestRedis): Promise<void> {
  const { interval, rounds } = part
  const symbols = symbolNames(b.small ? 2 : part.symbols)
  const wanted = wantedRun(symbols, interval, b.small ? 4 : part.months)
  const archive = await archiveOf(b, wanted)
  const run = runsOver(archive, b, redis)
  const settings = await benchConfig({ home: b.dir, archiveUrl: archive, queueUrl: null })
  b.say(`settings: ${concurrencyLine(settings)}, in bare loop and pipeline alike`)
  const times: Record<Backend, PipelineTimes[]> = { redis: [], embedded: [] }
  const pipeline = (backend: Backend) => async (): Promise<number> => {
    const taken = await run.pipeline(wanted, backend)
    times[backend].push(taken)
    return taken.seconds
  }
  const seconds = await interleaved(b.rounds ?? (b.small ? 2 : rounds), {
    bare: () => run.bare(wanted), redis: pipeline('redis'), embedded: pipeline('embedded'),
  }, b.say)
  b.figure(`${name}.bare`, (median(seconds.bare) / wanted.partitions) * 1e3, 'ms/partition')
  for (const backend of ['redis', 'embedded'] as const) {
    b.figure(`${name}.${backend}`, (median(seconds[backend]) / wanted.partitions) * 1e3, 'ms/partition')
    b.figure(`${name}.${backend}-over-bare`, ratioOf(seconds[backend], seconds.bare), 'x', { atMost: part.atMost[backend] })
    b.say(`${name} on ${backend}: ${partsLine(times[backend], wanted.partitions)}`)
  }
}

/** Few, many, few: what changes in the meantime falls on both sides. */
async function growth(b: BenchContext, backend: Backend, redis: TestRedis): Promise<void> {
  const shrink = b.small ? 20 : 1
  const few = GROWTH.few / shrink
  const many = GROWTH.many / shrink
  const months = GROWTH.months / (b.small ? 5 : 1)
  const symbols = symbolNames(many / months)
  const archive = await archiveOf(b, wantedRun(symbols, '1d', months))
  const run = runsOver(archive, b, redis)
  const secondsOf = async (count: number): Promise<number> => {
    const wanted = wantedRun(symbols.slice(0, count / months), '1d', months)
    const taken = await run.pipeline(wanted, backend)
    b.say(`${count} on ${backend}: ${taken.seconds.toFixed(1)} s, ${partsLine([taken], count)}`)
    return taken.seconds
  }
  const before = await secondsOf(few)
  const all = await secondsOf(many)
  const after = await secondsOf(few)
  b.figure(`growth.${backend}.many`, (all / many) * 1e3, 'ms/partition')
  b.figure(`growth.${backend}`, all / median([before, after]), 'x', { atMost: GROWTH.atMost })
}

function wantedRun(symbols: readonly string[], interval: Interval, months: number): WantedRun {
  const lastMonth = monthsFrom(FIRST_MONTH, months).at(-1) ?? FIRST_MONTH
  return { symbols, interval, firstMonth: FIRST_MONTH, lastMonth, partitions: symbols.length * months }
}

const archives = new Map<string, Promise<string>>()

/** The address of a server over the generated files of a run; the same files are made once. */
async function archiveOf(b: BenchContext, { symbols, interval, partitions }: WantedRun): Promise<string> {
  const name = `${interval}-${symbols.length}`
  const root = join(b.dir, name)
  const make = async (): Promise<string> => {
    const months = monthsFrom(FIRST_MONTH, partitions / symbols.length)
    const seconds = await timed(async () => {
      const made = await generateKlines({ root, interval: interval as '1m' | '1h' | '1d', symbols, months })
      b.say(`data: ${made.files.length} generated months of ${interval}, ${made.rows} rows, ${made.zipBytes} bytes of ZIP`)
    })
    b.say(`data: made in ${seconds.toFixed(1)} s`)
    const served = await serveArchive(root)
    b.atEnd(() => served.close())
    return served.url
  }
  const found = archives.get(name) ?? make()
  archives.set(name, found)
  return found
}

/** Runs over one archive, each in a new home with nothing in it: a new database, an empty lake, an empty queue. */
function runsOver(archiveUrl: string, b: BenchContext, redis: TestRedis) {
  const inNewHome = async <T>(queueUrl: string | null, work: (config: Awaited<ReturnType<typeof benchConfig>>, home: string) => Promise<T>): Promise<T> => {
    const home = await mkdtemp(join(b.dir, 'home-'))
    try {
      return await work(await benchConfig({ home, archiveUrl, queueUrl }), home)
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  }
  return {
    bare: (wanted: WantedRun): Promise<number> =>
      inNewHome(null, (config, home) => runBareLoop(config, partitionsOf(wanted), home)),
    pipeline: async (wanted: WantedRun, backend: Backend): Promise<PipelineTimes> => {
      await emptyRedis(redis.url)
      return inNewHome(backend === 'redis' ? redis.url : null, (config) => runPipeline(config, wanted))
    },
  }
}

function partitionsOf({ symbols, interval, partitions }: WantedRun): Partition[] {
  const months = monthsFrom(FIRST_MONTH, partitions / symbols.length)
  return symbols.flatMap((symbol) => months.map((month) => ({ dataset: 'spot-klines' as const, symbol, interval, month })))
}

/** Where a pipeline's time goes: seconds of the plan, and milliseconds of each stage's jobs a partition, waits included. */
function partsLine(times: readonly PipelineTimes[], partitions: number): string {
  const stages = Object.keys(times[0]?.jobSeconds ?? {})
  const each = stages.map((stage) => {
    const ms = (median(times.map(({ jobSeconds }) => jobSeconds[stage] ?? 0)) / partitions) * 1e3
    return `${stage} ${ms.toFixed(1)} ms`
  })
  return `plan ${median(times.map(({ planSeconds }) => planSeconds)).toFixed(2)} s, jobs a partition: ${each.join(', ')}`
}
