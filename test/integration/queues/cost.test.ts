import { expect } from 'chai'
import { Redis } from 'ioredis'
import pg from 'pg'
import { STAGES } from '../../../src/jobs/stages.js'
import { openBackend } from '../../../src/queues/backend.js'
import { Bench, DONE, idOf, jobOf, jobsOf, postgresPlace, until } from '../../contract/queue.harness.js'
import { startRedis } from '../../support/redis.js'

describe('queues: what they cost', function () {
  this.timeout(120_000)

  it('a waiting job of a backfill takes at most 1,000 bytes of Redis in all, whatever its symbol', async () => {
    const redis = await startRedis()
    const client = new Redis(redis.url)
    const used = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1])
    const long = jobsOf(5_000).map((job, i) => ({ ...job, partition: { ...job.partition, symbol: `1000000MOGUSDT_${i % 1_000}` } }))
    for (const [prefix, jobs, most] of [['short', jobsOf(5_000), 700], ['candlelake', long, 1_000]] as const) {
      const bench = await Bench.open({ url: redis.url, prefix })
      const before = await used()
      await bench.queue.enqueue(jobs)
      const waiting = (await bench.queue.counts()).download.waiting
      expect((await used() - before) / waiting, prefix).to.be.lessThan(most)
      await bench.close()
    }
    const stored = await client.hgetall(`candlelake:download:${idOf(long[0] ?? jobOf(0))}`)
    expect(stored['opts']).to.equal('{"priority":10}')
    client.disconnect()
    await redis.stop()
  })

  it('four busy workers, four queues and their callers hold at most 10 connections to Postgres', async () => {
    const place = await postgresPlace()
    const bench = await Bench.open({ ...place.options, name: 'budget' })
    const watcher = new pg.Client(place.options.postgres)
    await watcher.connect()
    const connections = async (): Promise<number> => {
      const statement = 'select count(*)::int as n from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()'
      return (await watcher.query<{ n: number }>(statement)).rows[0]?.n ?? 0
    }
    for (const stage of STAGES) await bench.queue.enqueue(jobsOf(100, { stage }))
    let most = 0
    bench.work(async () => {
      await bench.queue.alive([jobOf(0)])
      return DONE
    }, { stages: STAGES.map((stage) => ({ stage, concurrency: 4 })) })
    await until('every job is done', async () => {
      most = Math.max(most, await connections())
      await Promise.all([bench.queue.counts(), bench.queue.ping()])
      const counts = await bench.queue.counts()
      return STAGES.every((stage) => counts[stage].completed === 100)
    })
    expect(most).to.be.within(5, 10)
    const names = await watcher.query<{ name: string }>(
      'select distinct application_name as name from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()')
    expect(names.rows.map((row) => row.name).sort()).to.deep.equal(['budget', ...STAGES.map((stage) => `${stage}:w:test`)].sort())
    await watcher.end()
    await bench.close()
    await place.clean()
  })

  it('processes that open an empty database at once migrate it once, and a role without rights may use it later', async () => {
    const place = await postgresPlace()
    const backends = await Promise.all(Array.from({ length: 5 }, () => openBackend({ ...place.options, maxConnections: 2 })))
    const client = new pg.Client(place.options.postgres)
    await client.connect()
    const ledger = await client.query<{ n: number; versions: number }>(
      'select count(*)::int as n, count(distinct version)::int as versions from bullmq.migration')
    expect(ledger.rows[0]?.n).to.be.greaterThan(0)
    expect(ledger.rows[0]?.n).to.equal(ledger.rows[0]?.versions)
    for (const backend of backends) await backend.close()
    await client.query(`create role worker_${process.pid} login`)
    await client.query(`grant usage on schema bullmq to worker_${process.pid}`)
    await client.query(`grant all on all tables in schema bullmq to worker_${process.pid}`)
    const postgres = { ...(place.options.postgres as pg.PoolConfig), user: `worker_${process.pid}` }
    const limited = await openBackend({ url: null, postgres })
    expect(await limited.describe()).to.match(/^Postgres \d+/)
    await limited.close()
    await client.end()
    await place.clean()
  })
})
