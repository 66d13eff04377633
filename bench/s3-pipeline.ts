import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openApp } from '../src/compose.js'
import { freshDatabase, urlOf } from '../test/support/postgres.js'
import { startRedis, type TestRedis } from '../test/support/redis.js'
import { newPrefix, type TestS3 } from '../test/support/s3.js'
import { stopShared } from '../test/support/shared.js'
import { serveArchive } from './archive-process.js'
import type { BenchContext } from './bench.js'
import { generateKlines, monthsFrom, symbolNames } from './generated-klines.js'
import { interleaved, ratioOf, timed } from './interleave.js'
import { median } from './median.js'
import { planRun, runPipeline, SILENT, type WantedRun } from './pipeline-run.js'
import { benchConfig } from './settings.js'
import { canPin, startWorkerProcesses } from './worker-processes.js'

const FIRST_MONTH = '2020-01'
const SCALE = { symbols: 6, months: 12, rounds: 3, atLeast: 1.7 }
const MANY = { symbols: 200, months: 50 }

type Services = { readonly s3: TestS3; readonly redis: TestRedis }

/** Months of 1m by one and by two worker processes, lake and staging in the bucket, queues on Redis. */
export async function scale(b: BenchContext, s3: TestS3): Promise<void> {
  const services = await servicesFor(b, s3)
  const { wanted, archiveUrl } = await archiveOf(b, '1m', b.small ? 2 : SCALE.symbols, SCALE.months)
  const pinned = canPin()
  b.say(`settings: workers of 1 engine slot, ${pinned ? 'each pinned to a core of its own' : 'not pinned: this system has no taskset'}; ` +
    `Redis, Postgres, archive and S3 server beside them on the same machine`)
  const by = (count: number) => () => byWorkers(b, { ...services, archiveUrl, wanted, count, pinned })
  const seconds = await interleaved(b.rounds ?? SCALE.rounds, { one: by(1), two: by(2) }, b.say)
  b.figure('scale.one', wanted.partitions / median(seconds.one), 'partitions/s')
  b.figure('scale.two', wanted.partitions / median(seconds.two), 'partitions/s')
  b.figure('scale.one-to-two', ratioOf(seconds.one, seconds.two), 'x', { atLeast: SCALE.atLeast })
}

/** Small partitions (a month of 1d has some 30 rows) through the whole pipeline on S3, in one process. */
export async function many(b: BenchContext, s3: TestS3): Promise<void> {
  const services = await servicesFor(b, s3)
  const { wanted, archiveUrl } = await archiveOf(b, '1d', b.small ? MANY.symbols / 10 : MANY.symbols, MANY.months)
  const flags = await place(b, services)
  const config = await benchConfig({ home: flags.CANDLELAKE_HOME, archiveUrl, queueUrl: services.redis.url, more: flags })
  const { seconds } = await runPipeline(config, wanted)
  b.figure('many.partitions', wanted.partitions, 'partitions')
  b.figure('many.partitions-per-second', wanted.partitions / seconds, '/s')
}

/** Seconds from the plan to the last verified partition. The workers are up and idle before. */
async function byWorkers(
  b: BenchContext, o: Services & { archiveUrl: string; wanted: WantedRun; count: number; pinned: boolean },
): Promise<number> {
  const flags = await place(b, o)
  const env = { ...flags, ARCHIVE_URL: o.archiveUrl, QUEUE_URL: o.redis.url, ENGINE_SLOTS: '1', LOG_LEVEL: 'warn' }
  const config = await benchConfig({ home: flags.CANDLELAKE_HOME, archiveUrl: o.archiveUrl, queueUrl: o.redis.url, more: flags })
  const app = openApp({ config, log: SILENT, observe: () => undefined })
  const plans = await app.plans()
  const workers = await startWorkerProcesses(o.count, env, o.pinned)
  try {
    return await timed(async () => {
      const run = await planRun(app, o.wanted)
      for (;;) {
        const { states, total } = await plans.progress(run.id)
        if (states.verified === total) return
        const lost = states.failed + states.quarantined + states.absent + states.late
        if (lost > 0) throw new Error(`${lost} partitions did not end verified`)
        await sleep(50)
      }
    })
  } finally {
    await workers.stop()
    await app.close()
  }
}

async function servicesFor(b: BenchContext, s3: TestS3): Promise<Services> {
  const redis = await startRedis()
  b.atEnd(() => redis.stop())
  b.atEnd(stopShared)
  return { s3, redis }
}

/** A new home, database and place in the bucket, as settings. */
async function place(b: BenchContext, { s3 }: Services) {
  const database = await freshDatabase()
  const home = await mkdtemp(join(b.dir, 'home-'))
  return {
    CANDLELAKE_HOME: home, CANDLELAKE_CACHE: join(home, 'cache'), DATABASE_URL: urlOf(database),
    LAKE_URL: newPrefix(s3), STAGING_URL: newPrefix(s3), S3_ENDPOINT: s3.endpoint, S3_REGION: s3.region,
    S3_ACCESS_KEY_ID: s3.accessKeyId, S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
  }
}

async function archiveOf(
  b: BenchContext, interval: '1m' | '1d', symbols: number, months: number,
): Promise<{ readonly wanted: WantedRun; readonly archiveUrl: string }> {
  const names = symbolNames(symbols)
  const all = monthsFrom(FIRST_MONTH, months)
  const root = join(b.dir, `archive-${interval}`)
  const made = await generateKlines({ root, interval, symbols: names, months: all })
  b.say(`data: ${made.files.length} generated months of ${interval}, ${made.rows} rows, ${made.zipBytes} bytes of ZIP`)
  const served = await serveArchive(root)
  b.atEnd(() => served.close())
  const wanted = { symbols: names, interval, firstMonth: FIRST_MONTH, lastMonth: all.at(-1)!, partitions: made.files.length }
  return { wanted, archiveUrl: served.url }
}
