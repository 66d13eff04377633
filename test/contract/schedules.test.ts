import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Schedule, Task } from '../../src/domain/ports/schedules.js'
import { openBackend, type QueueBackend } from '../../src/queues/backend.js'
import { openSchedules } from '../../src/queues/schedules.js'
import type { TickWorker } from '../../src/queues/tick-worker.js'
import { PLACES, until, type QueuePlace } from './queue.harness.js'

const TASK: Task = { kind: 'tail', dataset: 'spot-klines', symbols: ['BTCUSDT', '币安人生USDT'], intervals: ['1m', '1mo'] }
const EVERY_SECOND: Schedule = { name: 'tail', cron: '* * * * * *', task: TASK }

for (const [kind, open] of PLACES) {
  describe(`${kind}: schedules`, function () {
    this.timeout(60_000)
    let place: QueuePlace
    const backends: QueueBackend[] = []
    const workers: TickWorker[] = []

    beforeEach(async () => {
      place = await open()
    })
    afterEach(async () => {
      await stop()
      await place.clean()
    })

    const backend = async (): Promise<QueueBackend> => {
      const made = await openBackend(place.options)
      backends.push(made)
      return made
    }
    const stop = async (): Promise<void> => {
      await Promise.all(workers.splice(0).map((one) => one.close()))
      await Promise.all(backends.splice(0).map((one) => one.close()))
    }
    type Tick = { readonly at: number; readonly task: Task }
    const work = async (ticks: Tick[], takesMs = 0): Promise<void> => {
      const options = { name: `w${workers.length}`, lockMs: 5_000, concurrency: 4, onError: () => undefined }
      const run = async (_: string, task: Task): Promise<void> => {
        ticks.push({ at: Date.now(), task })
        await sleep(takesMs)
      }
      workers.push((await backend()).ticks({ ...options, run }))
    }

    it('are kept, replaced by name, listed with their next tick, and removed', async () => {
      const schedules = openSchedules(await backend())
      await schedules.put({ name: 'months', cron: '30 4 * * *', task: { ...TASK, kind: 'months' } })
      await schedules.put({ name: 'a', cron: '0 * * * *', task: TASK })
      await schedules.put({ name: 'a', cron: '5 * * * *', task: TASK })
      const [a, months, ...more] = await openSchedules(await backend()).list()
      expect(more).to.deep.equal([])
      expect(a).to.deep.include({ name: 'a', cron: '5 * * * *', task: TASK })
      expect([months?.next?.getUTCHours(), months?.next?.getUTCMinutes()]).to.deep.equal([4, 30])
      expect([await schedules.remove('a'), await schedules.remove('a')]).to.deep.equal([true, false])
      expect((await schedules.list()).map(({ name }) => name)).to.deep.equal(['months'])
    })

    it('one that a newer program wrote is shown without its task, and keeps no other from being seen', async () => {
      const opened = await backend()
      const schedules = openSchedules(opened)
      const template = { name: 'tail', data: { v: 2, k: 'z' } as never }
      await opened.schedules().upsertJobScheduler('newer', { pattern: '0 4 * * *', tz: 'UTC' }, template)
      await schedules.put({ name: 'tail', cron: '30 4 * * *', task: TASK })
      expect((await schedules.list()).map(({ name, task }) => [name, task])).to.deep.equal([['newer', null], ['tail', TASK]])
      expect(await schedules.get('tail')).to.deep.include({ name: 'tail', cron: '30 4 * * *', task: TASK })
      expect(await schedules.get('nothing')).to.equal(null)
    })

    it('refuses what is no time pattern, and no name', async () => {
      const schedules = openSchedules(await backend())
      for (const wrong of [{ cron: '61 * * * *' }, { cron: '* * *' }, { cron: 'daily' }, { name: 'A b' }, { name: '' }]) {
        const thrown = await schedules.put({ ...EVERY_SECOND, ...wrong }).then(() => null, (error: unknown) => error)
        expect(thrown, JSON.stringify(wrong)).to.have.property('code', 'BAD_USAGE')
      }
      expect(await schedules.list()).to.deep.equal([])
    })

    it('tick once a time however many workers there are, and no longer than they are there', async () => {
      const ticks: Tick[] = []
      for (let n = 0; n < 4; n++) await work(ticks)
      const schedules = openSchedules(await backend())
      await schedules.put(EVERY_SECOND)
      await until('ticks', () => ticks.length >= 4)
      expect(ticks[0]?.task).to.deep.equal(TASK)
      const seconds = ticks.map(({ at }) => Math.floor(at / 1_000))
      expect(new Set(seconds).size, `ticks at ${seconds.join()}`).to.equal(seconds.length)
      await schedules.remove('tail')
      await sleep(300)
      const before = ticks.length
      await sleep(2_500)
      expect(ticks.length).to.equal(before)
    })

    it('outlive those who made them; what nobody was there for comes as one tick', async () => {
      await openSchedules(await backend()).put(EVERY_SECOND)
      await stop()
      await sleep(4_200)
      const ticks: Tick[] = []
      await work(ticks)
      await work(ticks)
      await until('ticks', () => ticks.length >= 3)
      const [first = NaN, second = NaN, third = NaN] = ticks.map(({ at }) => at)
      expect(third - first, 'ms from the first to the third').to.be.greaterThan(1_000)
      expect(second - first).to.be.at.most(2_500)
    })

    it('a tick that lasts longer than its time is not run beside itself in one process', async () => {
      const ticks: Tick[] = []
      await work(ticks, 2_500)
      await openSchedules(await backend()).put(EVERY_SECOND)
      await until('ticks', () => ticks.length >= 2)
      expect((ticks[1]?.at ?? 0) - (ticks[0]?.at ?? 0)).to.be.at.least(2_500)
    })
  })
}
