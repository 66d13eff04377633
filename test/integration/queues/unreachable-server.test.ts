import { expect } from 'chai'
import { Redis } from 'ioredis'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { PipelineError } from '../../../src/domain/errors.js'
import { openBackend } from '../../../src/queues/backend.js'
import type { BackendOptions } from '../../../src/queues/queue-backend.js'
import { Bench, jobOf, jobsOf, lines, PLACES, until } from '../../contract/queue.harness.js'
import { testServer } from '../../support/postgres.js'
import { freePort, startRedis } from '../../support/redis.js'

const SECRET = 'canary-7f3k2'

const options: Readonly<Record<'redis' | 'postgres', (port: number) => BackendOptions>> = {
  redis: (port) => ({ url: `redis://someone:${SECRET}@127.0.0.1:${port}` }),
  postgres: (port) => ({ url: `postgres://someone:${SECRET}@127.0.0.1:${port}/lake` }),
}

/** Opens and expects the failure: its time in ms, and every text that hangs on it. */
async function refusal(o: BackendOptions): Promise<{ error: PipelineError; ms: number; text: string }> {
  const began = Date.now()
  try {
    await (await openBackend(o)).close()
  } catch (thrown) {
    if (!(thrown instanceof PipelineError)) throw thrown
    const text = JSON.stringify([thrown, thrown.message, thrown.stack, thrown.facts, thrown.cause, String(thrown.cause)])
    return { error: thrown, ms: Date.now() - began, text }
  }
  throw new Error('it opened')
}

for (const [name] of PLACES) {
  describe(`${name}: a queue server that cannot be reached`, function () {
    this.timeout(120_000)

    it('is told within seconds by code and address, never with a credential, where nobody listens', async () => {
      const port = await freePort()
      const { error, ms, text } = await refusal(options[name](port))
      expect(error.code).to.equal('QUEUE_UNREACHABLE')
      expect(error.message).to.equal(`the queue at 127.0.0.1:${port} does not answer (ECONNREFUSED)`)
      expect(ms).to.be.lessThan(10_000)
      expect(text).not.to.include(SECRET)
    })

    it('is told in bounded time where somebody listens and says nothing', async () => {
      const sockets: Socket[] = []
      const server = createServer((socket) => sockets.push(socket.on('error', () => undefined)))
      const port = await listen(server)
      const { error, ms, text } = await refusal(options[name](port))
      expect(sockets, 'connections that were taken').not.to.have.length(0)
      expect(error.code).to.equal('QUEUE_UNREACHABLE')
      expect(ms).to.be.lessThan(70_000)
      expect(text).not.to.include(SECRET)
      for (const socket of sockets) socket.destroy()
      server.close()
    })
  })
}

describe('queues: refusals of a server', function () {
  this.timeout(60_000)

  it('Redis: wrong credentials are named as such, without them', async () => {
    const redis = await startRedis()
    const { error, text } = await refusal(options.redis(redis.port))
    await redis.stop()
    expect(error).to.include({ code: 'QUEUE_UNREACHABLE', message: `the queue at 127.0.0.1:${redis.port} refuses the credentials` })
    expect(text).not.to.include(SECRET)
  })

  it('Postgres: a database that is not there is named as such', async () => {
    const { error } = await refusal({ url: null, postgres: { ...(await testServer()), database: 'no_such_lake' } })
    expect(error.code).to.equal('QUEUE_UNREACHABLE')
    expect(error.message).to.match(/^the queue's database at .* does not exist$/)
  })

  it('rediss:// speaks TLS', async () => {
    const first: number[] = []
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', (data) => {
        first.push(data[0] ?? 0)
        socket.destroy()
      })
    })
    const port = await listen(server)
    const { error } = await refusal({ url: `rediss://127.0.0.1:${port}` })
    server.close()
    expect(error.code).to.equal('QUEUE_UNREACHABLE')
    expect(first[0], 'a TLS handshake record').to.equal(0x16)
  })

  it('another scheme, or no server at all, is a matter of configuration', async () => {
    for (const url of ['http://cache:6379', 'cache:6379', null]) expect((await refusal({ url })).error.code).to.equal('BAD_CONFIG')
  })
})

describe('queues: a Redis that is out of memory', function () {
  this.timeout(120_000)

  it('refuses new jobs by a message that says memory, keeps what runs, and recovers without a restart', async () => {
    const redis = await startRedis()
    const admin = new Redis(redis.url)
    const bench = await Bench.open({ url: redis.url })
    const errors: PipelineError[] = []
    let end = (): void => undefined
    const held = new Promise<void>((resolve) => (end = resolve))
    const starts: number[] = []
    const { log } = lines()
    const handle = bench.work(async (job) => {
      starts.push(job.attempt)
      if (starts.length === 1) await held
      return { kind: 'done', outcome: 'ok' }
    }, { log, lockMs: 60_000, onError: (error) => errors.push(error) })
    await bench.queue.enqueue([jobOf(0)])
    await until('it runs', () => handle.active().length === 1)
    await admin.config('SET', 'maxmemory', '1mb')
    const thrown = await bench.queue.enqueue(jobsOf(2_000, { generation: 2 })).catch((e: unknown) => e as PipelineError)
    expect(thrown).to.include({ code: 'QUEUE_UNREACHABLE' })
    expect(thrown?.message).to.match(/out of memory/)
    end()
    await until('the worker could not record its job', () => errors.some((error) => /out of memory/.test(error.message)))
    await sleep(1_000)
    expect(errors.length, 'tries while memory is short').to.be.lessThan(50)
    await admin.config('SET', 'maxmemory', '0')
    admin.disconnect()
    await until('the job is done', async () => (await bench.queue.counts()).download.completed > 0)
    expect(starts[0]).to.equal(0)
    const { download } = await bench.queue.counts()
    expect(download.failed + download.delayed).to.equal(0)
    await bench.close()
    await redis.stop()
  })
})

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
