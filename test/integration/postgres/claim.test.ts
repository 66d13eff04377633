import { expect } from 'chai'
import { openCatalog } from '../../../src/adapters/postgres/connect.js'
import type { Partition } from '../../../src/domain/partition.js'
import {
  LEASE_MS, advanceOf, advancedTo, claimed, expire, newPartition, newPartitions, openFresh, planned, published, rowOf, type Opened,
} from './catalog-fixture.js'

describe('postgres catalog: claim', () => {
  let catalog: Opened
  before(async () => { catalog = await openFresh({ maxCrashes: 3 }) })
  after(() => catalog.drop())

  type Asked = { stage?: 'download' | 'convert'; generation?: number; workerId?: string }
  const ask = (partition: ReturnType<typeof newPartition>, o: Asked = {}) =>
    catalog.stage.claim({ stage: 'download', partition, generation: 1, workerId: 'w1', leaseMs: LEASE_MS, ...o })

  it('gives a partition to exactly one of twenty workers that ask at once', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    const results = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(partition, { workerId: `w${i}` })))
    expect(results.filter(({ kind }) => kind === 'claimed')).to.have.length(1)
    const held = results.filter((result) => result.kind === 'held')
    expect(held).to.have.length(19)
    for (const { forMs } of held) expect(forMs).to.be.within(1, LEASE_MS)
  })

  it('gives work, generation and a token that names can hold', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    const claim = await claimed(catalog, 'download', partition)
    expect(claim).to.include({ stage: 'download', generation: 1, workerId: 'w1', published: null })
    expect(claim.partition).to.deep.equal(partition)
    expect(claim.token).to.match(/^[0-9a-z]{16,}$/)
    expect(claim.work.wanted[0]).to.include({ etag: 'e1', bytes: 1_000 })
    expect(claim.work.bounds).to.deep.equal({ firstMonth: '2017-08', lastMonth: '2024-12' })
    expect((await rowOf(catalog, partition))['state']).to.equal('downloading')
  })

  it('gives instants back as bigints', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    await advancedTo(catalog, partition, 'upload')
    const { work } = await claimed(catalog, 'upload', partition)
    expect(work.downloaded?.sources[0]?.range.fromUs).to.equal(1_704_067_200_000_000n)
    expect(work.converted?.figures.lastOpenUs).to.equal(1_706_742_000_000_000n)
  })

  it('lets a worker claim again what it holds, which fences its earlier execution', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    const first = await claimed(catalog, 'download', partition)
    const second = await claimed(catalog, 'download', partition)
    expect(second.token).not.to.equal(first.token)
    expect(await catalog.stage.commit(first, advanceOf(first))).to.equal(false)
    expect(await catalog.stage.commit(second, advanceOf(second))).to.equal(true)
  })

  it('a lease that its holder lets go is free at once, and what the execution still does is fenced', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    const first = await claimed(catalog, 'download', partition)
    expect(await catalog.stage.letGo({ partition, generation: 1, workerId: 'w2' }), "another's").to.equal(false)
    expect(await catalog.stage.letGo({ partition, generation: 2, workerId: 'w1' })).to.equal(false)
    expect(await catalog.stage.letGo({ partition, generation: 1, workerId: 'w1' })).to.equal(true)
    expect(await catalog.stage.letGo({ partition, generation: 1, workerId: 'w1' }), 'once').to.equal(false)
    expect(await rowOf(catalog, partition)).to.include({ crashes: 0, code: 'INTERRUPTED', state: 'downloading' })
    expect((await ask(partition, { workerId: 'w2' })).kind).to.equal('claimed')
    expect(await catalog.stage.commit(first, advanceOf(first))).to.equal(false)
  })

  it('lets an expired lease be taken over, and changes nothing for the one who comes too late', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    const first = await claimed(catalog, 'download', partition, { workerId: 'slow' })
    expect((await ask(partition, { workerId: 'quick' })).kind).to.equal('held')
    await expire(catalog, first.token)
    const second = await claimed(catalog, 'download', partition, { workerId: 'quick' })
    const before = await rowOf(catalog, partition)
    expect(await catalog.stage.commit(first, advanceOf(first))).to.equal(false)
    expect(await catalog.stage.release(first, { code: 'UNEXPECTED', message: 'late' })).to.equal(false)
    expect(await catalog.stage.restart(first, 'STAGING_LOST')).to.equal(null)
    const ended = { state: 'failed', code: 'UNEXPECTED', message: '', facts: {}, attempt: 0 } as const
    expect(await catalog.stage.end(first, ended)).to.equal(false)
    expect(await rowOf(catalog, partition)).to.deep.equal(before)
    expect(await catalog.stage.commit(second, advanceOf(second))).to.equal(true)
  })

  it('lets a holder commit after its lease ran out as long as nobody took it', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    const claim = await claimed(catalog, 'download', partition)
    await expire(catalog, claim.token)
    expect(await catalog.stage.commit(claim, advanceOf(claim))).to.equal(true)
  })

  it('says `ahead` with the stage that a partition waits for, and with null when it is finished', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    await advancedTo(catalog, partition, 'upload')
    expect(await ask(partition)).to.deep.equal({ kind: 'ahead', stage: 'upload' })
    const finished = newPartition()
    await planned(catalog, [finished])
    await published(catalog, finished)
    expect(await ask(finished)).to.deep.equal({ kind: 'ahead', stage: null })
  })

  it('says `superseded` for an unknown partition, another generation, a cancelled run, a stage not reached', async () => {
    expect(await ask(newPartition())).to.deep.equal({ kind: 'superseded' })
    const partition = newPartition()
    const { run } = await planned(catalog, [partition])
    expect(await ask(partition, { generation: 2 })).to.deep.equal({ kind: 'superseded' })
    expect(await ask(partition, { stage: 'convert' })).to.deep.equal({ kind: 'superseded' })
    await catalog.plan.cancel(run.id)
    expect(await ask(partition)).to.deep.equal({ kind: 'superseded' })
    expect(await ask(partition, { generation: 2 })).to.deep.equal({ kind: 'superseded' })
  })

  it('says `ended` with the attempt that ended it', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    const claim = await claimed(catalog, 'download', partition)
    await catalog.stage.end(claim, { state: 'failed', code: 'ENGINE_FAILED', message: 'm', facts: {}, attempt: 4 })
    expect(await ask(partition)).to.deep.equal({ kind: 'ended', state: 'failed', attempt: 4 })
  })

  it('says `poisoned` after as many claims in a row as workers may die with a partition', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    for (const workerId of ['w1', 'w2', 'w3']) {
      await expire(catalog, (await claimed(catalog, 'download', partition, { workerId })).token)
    }
    expect(await ask(partition)).to.deep.equal({ kind: 'poisoned', crashes: 3 })
    const given = { stage: 'download', partition, code: 'POISONED', message: 'three died' } as const
    expect(await catalog.stage.giveUp({ ...given, generation: 2 }), 'another generation').to.equal(false)
    expect(await catalog.stage.giveUp({ ...given, generation: 1 })).to.equal(true)
    expect(await ask(partition)).to.deep.equal({ kind: 'ended', state: 'failed', attempt: 0 })
    expect(await rowOf(catalog, partition)).to.include({ state: 'failed', code: 'POISONED', ended_stage: 'download' })
  })

  it('takes partitions that saw two deaths in a row one at a time, so that the one to blame dies alone', async () => {
    const [poison, bystander, other] = newPartitions(3) as [Partition, Partition, Partition]
    await planned(catalog, [poison, bystander, other])
    for (const partition of [poison, bystander, poison, bystander]) {
      await expire(catalog, (await claimed(catalog, 'download', partition)).token)
    }
    const { token } = await claimed(catalog, 'download', poison, { workerId: 'w1' })
    expect(await ask(bystander, { workerId: 'w1' })).to.include({ kind: 'held' })
    expect(await ask(other, { workerId: 'w1' }), 'one that nothing is known against').to.include({ kind: 'claimed' })
    await expire(catalog, token)
    expect((await rowOf(catalog, bystander))['crashes'], 'not counted while it was not in hand').to.equal(2)
    await expire(catalog, (await claimed(catalog, 'download', bystander)).token)
    expect(await ask(poison, { workerId: 'w2' })).to.deep.equal({ kind: 'poisoned', crashes: 3 })
  })

  it('counts crashes in a row only: an orderly end starts the count anew, a requeue does not', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    await expire(catalog, (await claimed(catalog, 'download', partition)).token)
    await expire(catalog, (await claimed(catalog, 'download', partition)).token)
    expect((await rowOf(catalog, partition))['crashes']).to.equal(2)
    await catalog.keeper.requeue([{ partition, generation: 1, stage: 'download' }])
    expect((await rowOf(catalog, partition))['crashes']).to.equal(2)
    const claim = await claimed(catalog, 'download', partition, { generation: 2 })
    await catalog.stage.release(claim, { code: 'ARCHIVE_BUSY', message: 'later' })
    expect(await rowOf(catalog, partition)).to.include({ crashes: 0, code: 'ARCHIVE_BUSY', message: 'later', lease_token: null })
  })

  it('takes lease times from the database, whatever the worker thinks the time is', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    const real = Date.now
    Date.now = () => real() + 86_400_000
    try {
      await claimed(catalog, 'download', partition)
    } finally {
      Date.now = real
    }
    const { rows } = await catalog.pool.query<{ ms: number }>(
      'select extract(epoch from lease_until - clock_timestamp())::float8 * 1000 as ms from partitions where symbol = $1',
      [partition.symbol])
    expect(rows[0]?.ms).to.be.within(1, LEASE_MS)
  })

  it('says `held` when the row is locked longer than anyone waits', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    const locker = await catalog.pool.connect()
    await locker.query('begin')
    await locker.query('select from partitions where symbol = $1 for update', [partition.symbol])
    const { connection } = catalog
    const impatient = await openCatalog({ connection, maxConnections: 1, applicationName: 'impatient' })
    await impatient.pool.query(`set lock_timeout = '100ms'`)
    try {
      const request = { stage: 'download', partition, generation: 1, workerId: 'w', leaseMs: LEASE_MS } as const
      const result = await impatient.stage.claim(request)
      expect(result.kind).to.equal('held')
    } finally {
      await locker.query('rollback')
      locker.release()
      await impatient.close()
    }
    expect((await ask(partition)).kind).to.equal('claimed')
  })
})
