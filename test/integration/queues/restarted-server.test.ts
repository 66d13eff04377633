import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PipelineError } from '../../../src/domain/errors.js'
import { openSchedules } from '../../../src/queues/schedules.js'
import type { BackendOptions } from '../../../src/queues/queue-backend.js'
import { Bench, DONE, jobOf, jobsOf, until } from '../../contract/queue.harness.js'
import { startServer } from '../../support/postgres.js'
import { startRedis } from '../../support/redis.js'

/** A server of the test's own that dies without a word and comes back over the same data. */
type Mortal = { readonly options: BackendOptions; kill(): Promise<void>; start(): Promise<void>; stop(): Promise<void> }

/** Starting what runs would leave a second process that nobody stops. */
function once(server: Mortal): Mortal {
  let runs = true
  return {
    ...server,
    kill: () => server.kill().then(() => void (runs = false)),
    start: async () => {
      if (!runs) await server.start()
      runs = true
    },
  }
}

const SERVERS: readonly (readonly [string, () => Promise<Mortal>])[] = [
  ['redis with AOF, SIGKILL', async () => {
    const redis = await startRedis({ appendOnly: true })
    return { options: { url: redis.url }, kill: () => redis.kill9(), start: () => redis.restart(), stop: () => redis.stop() }
  }],
  ['postgres, -m immediate', async () => {
    const server = await startServer({ durable: true })
    const options = { url: null, postgres: server.connection }
    return { options, kill: () => server.crash(), start: () => server.start(), stop: () => server.stop() }
  }],
]

for (const [name, make] of SERVERS) {
  describe(`${name}: a queue server that goes and comes back`, function () {
    this.timeout(120_000)
    let server: Mortal
    let bench: Bench
    let errors: PipelineError[]
    beforeEach(async () => {
      server = once(await make())
      errors = []
      bench = await Bench.open({ ...server.options, timeoutMs: 2_000 })
    })
    afterEach(async () => {
      await server.start()
      await bench.close()
      await server.stop()
    })

    const isAway = async (): Promise<string> => {
      const began = Date.now()
      const thrown = await bench.queue.ping().then(() => null, (e: PipelineError) => e)
      expect(Date.now() - began).to.be.lessThan(10_000)
      return thrown?.code ?? 'ANSWERS'
    }

    it('a tick that runs meanwhile makes no flood of errors, and another one comes after it', async () => {
      let end = (): void => undefined
      const held = new Promise<void>((resolve) => (end = resolve))
      let [ticks, said] = [0, 0]
      const worker = bench.backend.ticks({
        name: 'test', lockMs: 60_000, concurrency: 4, onError: () => said++, run: () => (++ticks === 1 ? held : Promise.resolve()),
      })
      const task = { kind: 'tail', dataset: 'spot-klines', symbols: ['BTCUSDT'], intervals: ['1m'] } as const
      await openSchedules(bench.backend).put({ name: 'tail', cron: '* * * * * *', task })
      await until('a tick runs', () => ticks === 1)
      await server.kill()
      expect(await isAway()).to.equal('QUEUE_UNREACHABLE')
      await sleep(3_000)
      expect(said, 'errors told').to.be.within(1, 100)
      await server.start()
      end()
      await until('another tick', () => ticks >= 2, 20_000)
      await worker.close()
    })

    it('completes the job that ran meanwhile, at its first attempt, and goes on without a new worker', async () => {
      let end = (): void => undefined
      const held = new Promise<void>((resolve) => (end = resolve))
      const starts: string[] = []
      const handle = bench.work(async (job) => {
        starts.push(`${job.partition.month} ${job.attempt}`)
        if (starts.length === 1) await held
        return DONE
      }, { lockMs: 60_000, onError: (error) => errors.push(error) })
      await bench.queue.enqueue(jobsOf(3))
      await until('the first runs', () => handle.active().length === 1)
      await server.kill()
      expect(await isAway()).to.equal('QUEUE_UNREACHABLE')
      end()
      await sleep(3_000)
      expect(await isAway()).to.equal('QUEUE_UNREACHABLE')
      // A worker that asks again without a pause asks thousands of times in this while.
      expect(errors.length).to.be.lessThan(100)
      await server.start()
      await until('all three are done', async () => (await bench.queue.counts().catch(() => null))?.download.completed === 3)
      expect(starts).to.deep.equal(['2017-01 0', '2017-02 0', '2017-03 0'])
      expect(handle.isRunning()).to.equal(true)
    })

    it('wakes an idle worker for the first job after it', async () => {
      const { started, handle } = bench.script([], { onError: (error) => errors.push(error) })
      await bench.queue.enqueue([jobOf(0)])
      await bench.counted('completed', 1)
      await server.kill()
      expect(await isAway()).to.equal('QUEUE_UNREACHABLE')
      await sleep(1_000)
      await server.start()
      await until('the server takes jobs', () => bench.queue.enqueue([jobOf(1)]).then(() => true, () => false))
      await until('the job is done', () => started.length === 2)
      expect(handle.progressAgeMs()).to.be.lessThan(15_000)
    })

    it('grows old in the eyes of its watchdog while the server is away, and drains in bounded time', async () => {
      const handle = bench.work(() => new Promise(() => undefined), { lockMs: 1_000 })
      await bench.queue.enqueue([jobOf(0)])
      await until('it runs', () => handle.active().length === 1)
      await server.kill()
      await sleep(2_500)
      expect(handle.progressAgeMs()).to.be.greaterThan(1_500)
      const began = Date.now()
      await handle.drain(100)
      expect(Date.now() - began).to.be.lessThan(20_000)
    })
  })
}
