import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { syntheticCandles } from '../../../src/archive-server/synthetic-candles.js'
import { writeKlineFile } from '../../../src/archive-server/kline-file.js'
import { parsePartitionKey } from '../../../src/domain/partition.js'
import { jobIdOf } from '../../../src/jobs/stage-job.js'
import { openBackend, queueNamesOf } from '../../../src/queues/backend.js'
import type { Stage } from '../../../src/domain/states.js'
import { archive, type Archive } from '../../support/archive.js'
import { lastJson, printed, runCli, startCli, temporaryHome, until, type Home, type Running } from '../../support/cli.js'
import { addressOf, freshDatabase, type TestDatabase } from '../../support/postgres.js'
import { startRedis, type TestRedis } from '../../support/redis.js'

/** Far longer than a test: whoever goes on with a job was handed it, and did not find it by a lock or a lease that ran out. */
const LONG = { LEASE_SECONDS: '600', JOB_LOCK_SECONDS: '600', RECONCILE_SECONDS: '600' }

type Work = { stage: Stage; partition: string }

for (const kind of ['postgres', 'redis'] as const) {
  describe(`${kind}: a worker that is told to stop in the middle`, function () {
    this.timeout(180_000)
    let served: Archive
    let home: Home
    let database: TestDatabase
    let redis: TestRedis | null = null
    let client: pg.Client
    const running: Running[] = []

    before(async () => {
      served = await archive()
      database = await freshDatabase()
      client = new pg.Client(database.connection)
      await client.connect()
      redis = kind === 'redis' ? await startRedis() : null
      const queue = redis === null ? {} : { QUEUE_URL: redis.url }
      home = await temporaryHome({ ARCHIVE_URL: served.url, DATABASE_URL: addressOf(database.connection), ...queue, ...LONG })
    })

    after(async () => {
      await home.remove()
      await client.end()
      await served.close()
      await database.drop()
      await redis?.stop()
    })

    afterEach(async () => {
      for (const one of running.splice(0)) {
        one.child.kill('SIGTERM')
        await one.ended
      }
      served.faults.clear()
    })

    const worker = async (env: Readonly<Record<string, string>> = {}): Promise<Running> => {
      const started = startCli(['worker'], { ...home.env, ...env })
      running.push(started)
      await printed(started, /takes jobs/)
      return started
    }
    const enqueue = async (symbol: string, interval: string): Promise<void> => {
      const ended = await runCli(
        ['backfill', '--symbols', symbol, '--intervals', interval, '--from', '2024-01', '--to', '2024-01', '--detach', '--json'], home.env)
      expect(lastJson(ended), ended.stderr).to.include({ todo: 1 })
    }
    const workers = async (): Promise<{ doing: Work[]; pid: number; lost: boolean }[]> =>
      (lastJson(await runCli(['workers', '--json'], home.env)) as { items: Awaited<ReturnType<typeof workers>> }).items
    /** Asked of the database: the program takes longer to start than some of this lasts. */
    const state = async (symbol: string): Promise<string | undefined> => {
      const { rows } = await client.query<{ state: string }>('select state from candlelake.partitions where symbol = $1', [symbol])
      return rows[0]?.state
    }
    /** How often the queue gave a job to a worker, and how many attempts that came to. */
    const countsOf = async (stage: Stage, partition: string): Promise<{ started: number; made: number }> => {
      const url = redis?.url ?? null
      const { rows: [lake] } = await client.query<{ catalog_id: string }>('select catalog_id from candlelake.lake')
      const backend = await openBackend({ url, postgres: database.connection, ...queueNamesOf(url, lake?.catalog_id ?? '') })
      try {
        const job = (await backend.queue(stage).getJob(jobIdOf(stage, parsePartitionKey(partition), 1))) as
          { attemptsStarted: number; attemptsMade: number } | undefined
        return { started: job?.attemptsStarted ?? 0, made: job?.attemptsMade ?? 0 }
      } finally {
        await backend.close()
      }
    }

    /** Stops a worker in the middle of a job; gives how long another one, which is up, takes to end the partition, ms. */
    async function handedOver(first: Running, symbol: string, inTheMiddle: () => boolean | Promise<boolean>): Promise<number> {
      for (const end = Date.now() + 60_000; !(await inTheMiddle()); await sleep(10)) {
        if (Date.now() > end) throw new Error('it never was in the middle')
      }
      first.child.kill('SIGTERM')
      const ended = await first.ended
      expect(ended.code, ended.stderr).to.equal(143)
      expect(ended.stderr).to.include('workers.hand_back')
      expect(await state(symbol), 'it is not done').to.not.equal('verified')
      served.faults.clear()
      const second = await worker()
      const from = Date.now()
      await until('the other one did it', async () => (await state(symbol)) === 'verified', 60_000)
      const tookMs = Date.now() - from
      await printed(second, /partition\.finished/)
      return tookMs
    }

    it('a download that does not end is handed back: another worker does it at once, and no attempt is spent', async () => {
      await served.month({ symbol: 'SLOWUSDT', interval: '1d', month: '2024-01' })
      served.faults.set({ match: /SLOWUSDT.*\.zip$/, stallAfterBytes: 100, times: 1 })
      const first = await worker({ SHUTDOWN_GRACE_SECONDS: '0.5' })
      await enqueue('SLOWUSDT', '1d')
      const tookMs = await handedOver(first, 'SLOWUSDT', () => served.faults.counts.stallAfterBytes > 0)
      expect(tookMs, 'ms until the partition was verified').to.be.below(10_000)
      expect(await countsOf('download', 'spot-klines/SLOWUSDT/1d/2024-01')).to.deep.equal({ started: 2, made: 1 })
    })

    it('a conversion under way is handed back the same way', async () => {
      const [fromMs, toMs] = [Date.parse('2024-01-01T00:00:00Z'), Date.parse('2024-01-06T00:00:00Z')]
      const rows = syntheticCandles({ seed: 7, fromMs, toMs, stepMs: 1_000, unit: 'ms' })
      await writeKlineFile({ root: served.root, market: 'spot', period: 'monthly', symbol: 'LONGUSDT', interval: '1s', label: '2024-01', rows })
      const first = await worker({ SHUTDOWN_GRACE_SECONDS: '0' })
      await enqueue('LONGUSDT', '1s')
      const tookMs = await handedOver(first, 'LONGUSDT', async () => (await client.query(
        "select from candlelake.partitions where symbol = 'LONGUSDT' and state = 'converting' and lease_token is not null")).rowCount === 1)
      expect(tookMs, 'ms until the partition was verified').to.be.below(30_000)
      expect(await countsOf('convert', 'spot-klines/LONGUSDT/1s/2024-01')).to.deep.equal({ started: 2, made: 1 })
    })

    it('what ends within the grace is finished, and nothing is handed back', async () => {
      await served.month({ symbol: 'SOONUSDT', interval: '1d', month: '2024-01' })
      served.faults.set({ match: /SOONUSDT.*\.zip$/, latencyMs: 2_000 })
      const first = await worker()
      await enqueue('SOONUSDT', '1d')
      await until('it is in the middle', async () => (await state('SOONUSDT')) === 'downloading')
      first.child.kill('SIGTERM')
      const ended = await first.ended
      expect(ended.code, ended.stderr).to.equal(143)
      expect(ended.stderr).to.not.include('workers.hand_back')
      expect(await state('SOONUSDT')).to.be.oneOf(['converting', 'uploading', 'verifying', 'verified'])
      expect(await countsOf('download', 'spot-klines/SOONUSDT/1d/2024-01')).to.deep.equal({ started: 1, made: 1 })
    })

    it('the second signal ends it at once, and kill -9 too: the others name it as lost, with what it held', async () => {
      await served.month({ symbol: 'DEADUSDT', interval: '1d', month: '2024-01' })
      served.faults.set({ match: /DEADUSDT.*\.zip$/, stallAfterBytes: 100 })
      const first = await worker()
      await enqueue('DEADUSDT', '1d')
      const held = 'spot-klines/DEADUSDT/1d/2024-01'
      await until('its beat tells', async () => (await workers()).some(({ doing }) => doing.some(({ partition }) => partition === held)))
      first.child.kill('SIGTERM')
      await printed(first, /Finishing what is in hand/)
      const from = Date.now()
      first.child.kill('SIGTERM')
      expect((await first.ended).code).to.equal(143)
      expect(Date.now() - from, 'ms from the second signal to the end').to.be.below(5_000)
      const second = await worker({ RECONCILE_SECONDS: '2' })
      const [told = ''] = await printed(second, new RegExp(`^.*"at":"[^"]*:${first.child.pid}".*"worker\\.lost".*$`, 'm'), 60_000)
      expect(told).to.include(held)
      const lost = (await workers()).filter((one) => one.lost)
      expect(lost.map(({ pid, doing }) => ({ pid, held: doing[0]?.partition }))).to.deep.equal([{ pid: first.child.pid, held }])
      const words = await runCli(['workers'], home.env)
      expect(words.stdout).to.match(new RegExp(`:${first.child.pid} +lost .*download ${held}`))
      expect((await runCli(['status'], home.env)).stdout).to.match(new RegExp(`^worker .*:${first.child.pid} lost .*held download ${held}$`, 'm'))
      await sleep(5_000)
      expect(second.output().match(/"worker\.lost"/g), 'it is told once').to.have.length(1)
    })
  })
}

