import { expect } from 'chai'
import { Redis } from 'ioredis'
import { setTimeout as sleep } from 'node:timers/promises'
import { composeSchedules } from '../../../src/compose-schedules.js'
import { PipelineError } from '../../../src/domain/errors.js'
import type { WorkEvent } from '../../../src/domain/ports/observe.js'
import type { Task } from '../../../src/domain/ports/schedules.js'
import { openBackend, type QueueBackend } from '../../../src/queues/backend.js'
import { openSchedules } from '../../../src/queues/schedules.js'
import { redisPlace, until, type QueuePlace } from '../../contract/queue.harness.js'
import { startRedis } from '../../support/redis.js'
import { keptLog } from '../../support/server-parts.js'

type Parts = Parameters<typeof composeSchedules>
type Sync = Parts[3]['sync']

const TASK: Task = { kind: 'tail', dataset: 'spot-klines', symbols: ['AUSDT', 'BUSDT', 'CUSDT'], intervals: ['1m'] }

describe('a worker of ticks', function () {
  this.timeout(30_000)

  it('asks a queue that refuses it while a tick runs every two seconds, not thousands of times', async () => {
    const server = await startRedis()
    const admin = new Redis(server.url)
    const backend = await openBackend({ url: server.url })
    let end = (): void => undefined
    const held = new Promise<void>((resolve) => (end = resolve))
    const said: string[] = []
    let isRunning = false
    const worker = backend.ticks({
      name: 'test', lockMs: 60_000, concurrency: 4, onError: ({ message }) => said.push(message),
      run: () => {
        isRunning = true
        return held
      },
    })
    try {
      await openSchedules(backend).put({ name: 'tail', cron: '* * * * * *', task: TASK })
      await until('a tick runs', () => isRunning)
      await admin.config('SET', 'maxmemory', 1)
      await sleep(4_500)
      expect(said.filter((message) => message.startsWith('OOM')).length, 'refusals').to.be.within(1, 20)
    } finally {
      await admin.config('SET', 'maxmemory', 0)
      end()
      await worker.close()
      await backend.close()
      admin.disconnect()
      await server.stop()
    }
  })
})

describe('a tick that a full queue keeps from making the next one', function () {
  this.timeout(60_000)

  /** A queue that is full when a tick is taken and has room again after `fullMs`; gives when ticks ran after that. */
  const afterFull = async ({ fullMs, lockMs }: { fullMs: number; lockMs: number }) => {
    const server = await startRedis()
    const admin = new Redis(server.url)
    const backend = await openBackend({ url: server.url })
    const said: string[] = []
    let ticks = 0
    const worker = backend.ticks({
      name: 'test', lockMs, concurrency: 4, onError: ({ message }) => said.push(message),
      run: () => Promise.resolve(void ticks++),
    })
    try {
      await openSchedules(backend).put({ name: 'tail', cron: '* * * * * *', task: TASK })
      await until('a tick', () => ticks > 0)
      await admin.config('SET', 'maxmemory', 1)
      await until('the next one cannot be made', () => said.some((one) => one.includes('next iteration')))
      await sleep(fullMs)
      await admin.config('SET', 'maxmemory', 0)
      const [freeMs, before] = [Date.now(), ticks]
      await until('a tick', () => ticks > before, 30_000)
      const lateMs = Date.now() - freeMs
      await until('four more', () => ticks > before + 4, 30_000)
      return { lateMs, active: await backend.schedules().getActiveCount() }
    } finally {
      await worker.close()
      await backend.close()
      admin.disconnect()
      await server.stop()
    }
  }

  it('runs when there is room again, not when its lock has run out', async () => {
    const { lateMs } = await afterFull({ fullMs: 1_000, lockMs: 20_000 })
    expect(lateMs).to.be.below(5_000)
  })

  it('is taken over where its lock has run out, and the next ones come on time meanwhile', async () => {
    const { lateMs, active } = await afterFull({ fullMs: 4_000, lockMs: 2_000 })
    expect(lateMs).to.be.below(5_000)
    expect(active, 'left behind').to.be.at.most(1)
  })
})

describe('what a tick does', function () {
  this.timeout(30_000)
  let place: QueuePlace
  let backend: QueueBackend
  beforeEach(async () => {
    place = await redisPlace()
    backend = await openBackend(place.options)
  })
  afterEach(async () => {
    await backend.close()
    await place.clean()
  })

  const ticking = async (sync: Sync) => {
    const log = keptLog()
    const config = { jobLockSeconds: 30 } as Parts[0]
    const services = { backend: () => Promise.resolve(backend) } as Parts[1]
    const ended: string[] = []
    const observe = (event: WorkEvent): void => {
      if (event.type === 'tick') ended.push(`${event.task} ${event.outcome} ${event.code ?? ''}`)
    }
    const serve = () => Promise.resolve(null)
    const app = composeSchedules(config, services, { log, observe, serve }, { sync } as Parts[3])
    const worker = await app.runSchedules({ onTick: () => undefined })
    await (await app.schedules()).put({ name: 'tail', cron: '* * * * * *', task: TASK })
    return { log, worker, ended, first: (event: string) => log.lines.find((line) => line.event === event) }
  }
  /** Refuses these symbols for themselves. */
  const refusing = (symbols: readonly string[]): Sync => async function* ({ series }) {
    await Promise.resolve()
    for (const one of series) {
      if (symbols.includes(one.symbol)) yield { series: one, refusal: new PipelineError('EXCHANGE_REFUSED', 'refused', { at: 'x' }) }
      else yield { series: one, rows: 2, stored: 1, firstUs: 0n, lastUs: 0n }
    }
  }

  it('a series that is refused for itself keeps no other from its candles', async () => {
    const { worker, ended, first } = await ticking(refusing(['BUSDT']))
    await until('a tick', () => first('schedule.ticked') !== undefined)
    await worker.close()
    expect(ended[0]).to.equal('tail ok ')
    expect(first('schedule.ticked')?.fields).to.include({ series: 2, rows: 4, stored: 2, failed: 1 })
  })

  it('one whose every series is refused has failed', async () => {
    const { worker, ended, first } = await ticking(refusing(TASK.symbols))
    await until('its end', () => ended.length > 0)
    await worker.close()
    expect(ended[0]).to.equal('tail failed EXCHANGE_REFUSED')
    expect(first('schedule.failed')?.fields).to.include({ code: 'EXCHANGE_REFUSED' })
  })

  it('one that is stopped with its process is no failure', async () => {
    let runs = 0
    const { worker, log, ended, first } = await ticking(async function* ({ signal, series: [one] }) {
      runs++
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
      signal.throwIfAborted()
      if (one) yield { series: one, rows: 0, stored: 0, firstUs: null, lastUs: null }
    })
    await until('it runs', () => runs === 1)
    await worker.close()
    expect(ended).to.deep.equal(['tail interrupted INTERRUPTED'])
    expect(first('schedule.interrupted')?.fields).to.deep.equal({ schedule: 'tail', kind: 'tail' })
    expect(log.lines.filter(({ event }) => event === 'schedule.failed')).to.deep.equal([])
  })
})
