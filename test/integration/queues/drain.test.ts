import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import { PipelineError } from '../../../src/domain/errors.js'
import { Bench, DONE, jobOf, jobsOf, PLACES, until, type QueuePlace } from '../../contract/queue.harness.js'

/** Far longer than any of these tests: a job that another worker gets was handed back, not found by its lock. */
const LOCK_MS = 120_000

for (const [name, make] of PLACES) {
  describe(`${name}: draining`, function () {
    this.timeout(60_000)
    let place: QueuePlace
    let bench: Bench
    let other: Bench
    beforeEach(async () => {
      place = await make()
      bench = await Bench.open(place.options)
      other = await Bench.open(place.options)
    })
    afterEach(async () => {
      await bench.close()
      await other.close()
      await place.clean()
    })

    it('lets a running job finish within the grace and takes no other', async () => {
      const handle = bench.work(async () => {
        await sleep(400)
        return DONE
      }, { lockMs: LOCK_MS })
      await bench.queue.enqueue(jobsOf(3))
      await until('one runs', () => handle.active().length === 1)
      await handle.drain(20_000)
      expect(handle.isRunning()).to.equal(false)
      const { download } = await bench.queue.counts()
      expect(download).to.include({ completed: 1, waiting: 2, active: 0 })
    })

    it('stops what runs longer and hands it back: another worker has it at once, at the same attempt', async () => {
      const reasons: unknown[] = []
      const handle = bench.work((_, signal) => new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          reasons.push(signal.reason)
          resolve({ kind: 'retry', error: new PipelineError('UNEXPECTED', 'cut off') })
        })
      }), { lockMs: LOCK_MS })
      await bench.queue.enqueue([jobOf(0)])
      await until('it runs', () => handle.active().length === 1)
      await handle.drain(50)
      expect(reasons.map(String)).to.deep.equal(['PipelineError: the worker is shutting down'])
      expect((await bench.queue.counts()).download).to.include({ waiting: 1, active: 0, failed: 0 })
      const { started } = other.script([], { lockMs: LOCK_MS })
      await other.counted('completed', 1)
      expect(started.map((job) => job.attempt)).to.deep.equal([0])
    })

    it('hands back a job whose stage does not listen to its signal, once what it holds is let go', async () => {
      const order: string[] = []
      const letGo = async ({ partition }: { partition: { month: string } }): Promise<void> => {
        expect((await other.queue.counts()).download).to.include({ waiting: 0, active: 1 })
        order.push(partition.month)
      }
      const handle = bench.work(() => new Promise(() => undefined), { lockMs: LOCK_MS, letGo })
      await bench.queue.enqueue([jobOf(0)])
      await until('it runs', () => handle.active().length === 1)
      await handle.close()
      expect(order).to.deep.equal(['2017-01'])
      const { started } = other.script([], { lockMs: LOCK_MS })
      await other.counted('completed', 1)
      expect(started.map((job) => job.attempt)).to.deep.equal([0])
    })

    it('hands back all the same when letting go hangs', async () => {
      const letGo = (): Promise<void> => new Promise(() => undefined)
      const handle = bench.work(() => new Promise(() => undefined), { lockMs: LOCK_MS, letGo })
      await bench.queue.enqueue([jobOf(0)])
      await until('it runs', () => handle.active().length === 1)
      await handle.close()
      expect((await other.queue.counts()).download).to.include({ waiting: 1, active: 0 })
    })

    it('completes a job that finishes although it was stopped', async () => {
      const handle = bench.work((_, signal) => new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve(DONE))
      }), { lockMs: LOCK_MS })
      await bench.queue.enqueue([jobOf(0)])
      await until('it runs', () => handle.active().length === 1)
      await handle.drain(10)
      expect((await bench.queue.counts()).download).to.include({ completed: 1, waiting: 0 })
    })

    it('keeps the place of a job that is handed back: before the backfill that waits', async () => {
      const handle = bench.work(() => new Promise(() => undefined), { lockMs: LOCK_MS })
      await bench.queue.enqueue(jobsOf(5))
      await until('the first runs', () => handle.active().length === 1)
      await handle.close()
      const { started } = other.script([], { lockMs: LOCK_MS })
      await other.counted('completed', 5)
      expect(started[0]?.partition.month).to.equal('2017-01')
    })

    it('ends at once when nothing runs, also while jobs arrive', async () => {
      const handle = bench.work(() => Promise.resolve(DONE), { lockMs: LOCK_MS })
      await until('it is up', () => handle.isRunning() && handle.progressAgeMs() < 5_000)
      const began = Date.now()
      await Promise.all([handle.drain(30_000), other.queue.enqueue(jobsOf(20))])
      expect(Date.now() - began).to.be.lessThan(10_000)
      const { started } = other.script([], { lockMs: LOCK_MS })
      await until('all are done', async () => (await other.queue.counts()).download.completed === 20)
      expect(started.every((job) => job.attempt === 0)).to.equal(true)
    })
  })
}
