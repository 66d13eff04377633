import { expect } from 'chai'
import { PipelineError } from '../../../src/domain/errors.js'
import type { StaleRow } from '../../../src/domain/ports/keeper-catalog.js'
import { partitionKeyOf, type Partition } from '../../../src/domain/partition.js'
import {
  advancedTo, claimed, expire, newPartition, newPartitions, openFresh, planned, published, rowOf, verifiedAs, type Opened,
} from './catalog-fixture.js'

describe('postgres catalog: keeper', () => {
  let catalog: Opened
  before(async () => { catalog = await openFresh() })
  after(() => catalog.drop())

  const age = async (p: Partition): Promise<void> => {
    await catalog.pool.query(`update partitions set checked_at = now() - interval '1 hour' where symbol = $1`, [p.symbol])
  }
  const stale = async (p: Partition, unchangedMs = 60_000): Promise<readonly StaleRow[]> =>
    (await catalog.keeper.stale({ stage: 'download', unchangedMs, limit: 1_000 }))
      .filter((row) => row.partition.symbol === p.symbol)

  it('finds rows that nobody holds and nothing changed for a while, and no others', async () => {
    const [quiet, fresh, held] = [newPartition(), newPartition(), newPartition()]
    const [expired, finished] = [newPartition(), newPartition()]
    await planned(catalog, [quiet, fresh, held, expired, finished])
    await claimed(catalog, 'download', held)
    await expire(catalog, (await claimed(catalog, 'download', expired)).token)
    await published(catalog, finished)
    for (const p of [quiet, held, expired, finished]) await age(p)
    expect(await stale(quiet)).to.deep.equal([{ partition: quiet, generation: 1, stage: 'download' }])
    expect(await stale(expired)).to.have.length(1)
    for (const p of [fresh, held, finished]) expect(await stale(p), p.symbol).to.deep.equal([])
  })

  it('leaves a touched row alone for another period', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    await age(partition)
    const rows = await stale(partition)
    await catalog.keeper.touch(rows)
    expect(rows).to.have.length(1)
    expect(await stale(partition)).to.deep.equal([])
  })

  it('requeues rows that are still as they were seen, at their stage, and no others', async () => {
    const [lost, moved, taken] = [newPartition(), newPartition(), newPartition()]
    await planned(catalog, [lost, moved, taken], { kind: 'incremental' })
    await advancedTo(catalog, lost, 'convert')
    const seen: StaleRow[] = [
      { partition: lost, generation: 1, stage: 'convert' },
      { partition: moved, generation: 1, stage: 'download' },
      { partition: taken, generation: 1, stage: 'download' },
    ]
    await advancedTo(catalog, moved, 'convert')
    await claimed(catalog, 'download', taken)
    const job = { stage: 'convert', partition: lost, generation: 2, kind: 'incremental' }
    expect(await catalog.keeper.requeue(seen)).to.deep.equal([job])
    expect(await catalog.keeper.requeue(seen), 'again').to.deep.equal([])
    const again = await claimed(catalog, 'convert', lost, { generation: 2 })
    expect(again.work.downloaded, 'work is kept').not.to.equal(undefined)
  })

  it('refers to folders and objects that a row on its way names or its holder may write to', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    const holder = await claimed(catalog, 'download', partition)
    const refers = (token: string, generation = 1) => catalog.keeper.isReferenced({ partition, generation, token })
    expect(await refers(holder.token), 'living lease').to.equal(true)
    expect(await refers(holder.token, 2), 'another generation').to.equal(false)
    await expire(catalog, holder.token)
    expect(await refers(holder.token), 'may still commit').to.equal(true)
    const next = await claimed(catalog, 'download', partition, { workerId: 'w2' })
    expect(await refers(holder.token), 'taken over').to.equal(false)
    await catalog.stage.release(next, { code: 'ARCHIVE_BUSY', message: '' })
    expect(await refers(next.token), 'given back').to.equal(false)
    await advancedTo(catalog, partition, 'verify')
    const { work } = await claimed(catalog, 'verify', partition)
    const tokens = [work.downloaded?.folder, work.converted?.folder, work.uploaded?.key]
      .map((name) => /g1-([0-9a-z]+)/.exec(name ?? '')?.[1] ?? '')
    for (const token of tokens) expect(await refers(token), token).to.equal(true)
    await catalog.pool.query(`update partitions set state = 'failed', lease_token = null, lease_holder = null, lease_until = null
      where symbol = $1`, [partition.symbol])
    for (const token of tokens) expect(await refers(token), 'finished').to.equal(false)
    expect(await catalog.keeper.isReferenced({ partition: newPartition(), generation: 1, token: 'a' })).to.equal(false)
  })

  it('fixes address and numeric type of the lake on first use, and gives an id that stays', async () => {
    const { keeper } = catalog
    const refusal = (o: Parameters<typeof keeper.adoptLake>[0]): Promise<unknown> =>
      keeper.adoptLake(o).then(() => null, (thrown: unknown) => thrown)
    expect(await keeper.lake()).to.equal(null)
    const first = await keeper.adoptLake({ url: 's3://key:canary@bucket/lake/', numericType: 'double' })
    expect(first.catalogId).to.match(/^[0-9a-f]{10}$/)
    expect(await keeper.adoptLake({ url: 's3://bucket/lake', numericType: 'double' })).to.deep.equal(first)
    expect(await keeper.lake()).to.deep.equal({ url: 's3://bucket/lake', numericType: 'double', ...first })

    const decimal = await refusal({ url: 's3://bucket/lake', numericType: 'decimal' })
    expect(decimal).to.be.instanceOf(PipelineError)
    expect(decimal).to.deep.include({ code: 'NUMERIC_TYPE_MISMATCH' })
    expect((decimal as PipelineError).facts).to.include({ lake: 'double', asked: 'decimal', at: 's3://bucket/lake' })

    const other = await refusal({ url: 's3://key:canary@other/lake', numericType: 'double' })
    expect(other).to.be.instanceOf(PipelineError)
    const { code, message, facts } = other as PipelineError
    expect(code).to.equal('LAKE_MISMATCH')
    expect(message).to.equal('the catalog is of the lake at s3://bucket/lake, LAKE_URL is s3://other/lake')
    expect(JSON.stringify({ message, facts })).to.not.include('canary')

    expect(await keeper.moveLake({ from: 's3://third', to: 's3://other/lake' }), 'not there').to.equal(false)
    expect(await keeper.moveLake({ from: 's3://bucket/lake', to: 's3://other/lake' })).to.equal(true)
    expect(await keeper.adoptLake({ url: 's3://other/lake', numericType: 'double' })).to.deep.equal(first)
  })

  it('counts states and stages, by filter too', async () => {
    const [a, b, c] = [newPartition(), newPartition(), newPartition()]
    await planned(catalog, [a, b, c])
    const before = await catalog.keeper.unfinished()
    await claimed(catalog, 'download', a)
    await advancedTo(catalog, b, 'verify')
    expect(await catalog.keeper.unfinished()).to.deep.equal({ ...before, download: before.download - 1, verify: before.verify + 1 })
    const symbols = [a, b, c].map((p) => p.symbol)
    expect(await catalog.keeper.states({ symbols })).to.deep.include({ planned: 1, downloading: 1, verifying: 1, verified: 0 })
    expect(await catalog.keeper.states({ symbols, states: ['planned'] })).to.deep.include({ planned: 1, downloading: 0 })
    expect(await catalog.keeper.states({ symbols: [] })).to.deep.include({ planned: 0, downloading: 0 })
  })

  it('sums up a run by dataset, interval and state', async () => {
    const [a, b] = [newPartition(), newPartition()]
    const { run } = await planned(catalog, [a, b, newPartition()])
    await published(catalog, a)
    await published(catalog, b)
    expect(await catalog.keeper.summary(run.id)).to.deep.equal([
      { dataset: 'spot-klines', interval: '1h', state: 'planned', partitions: 1, published: 0, rows: 0, bytesIn: 0, bytesOut: 0 },
      { dataset: 'spot-klines', interval: '1h', state: 'verified', partitions: 2, published: 2, rows: 1_488, bytesIn: 2_000, bytesOut: 1_400 },
    ])
    const all = (await catalog.keeper.summary()).reduce((sum, line) => sum + line.partitions, 0)
    const { rows } = await catalog.pool.query<{ count: number }>('select count(*) from partitions')
    expect(all).to.equal(rows[0]?.count)
  })

  it('knows what the lake still shows of a partition whose later try ended otherwise', async () => {
    const [bad, cancelled, never] = [newPartition(), newPartition(), newPartition()]
    const symbols = [bad, cancelled, never].map((p) => p.symbol)
    const { run: first } = await planned(catalog, [bad, cancelled, never])
    for (const p of [bad, cancelled]) await published(catalog, p)
    await catalog.plan.cancel(first.id)
    const before = await catalog.keeper.summary()
    const { run } = await planned(catalog, [bad, cancelled], { etag: 'e2' })
    const c = await claimed(catalog, 'download', bad, { generation: 2 })
    await catalog.stage.end(c, { state: 'quarantined', code: 'CORRUPT', message: 'row 3', facts: {}, attempt: 0 })
    await catalog.plan.cancel(run.id)
    const shown = []
    for await (const row of catalog.keeper.partitions({ symbols, published: true })) shown.push(row)
    expect(shown.map(({ partition, state }) => [partition.symbol, state])).to.deep.equal([
      [bad.symbol, 'quarantined'], [cancelled.symbol, 'cancelled'],
    ])
    for (const row of shown) expect(row.published).to.deep.equal(verifiedAs(row.partition).published)
    expect(shown[0]?.certificate, 'of the published revision').to.deep.include({ dataHash: 'd' })
    const [entry] = await listed(catalog.keeper.quarantine({ symbols }))
    expect(entry?.published).to.deep.equal(verifiedAs(bad).published)
    const sums = (of: typeof before): number[] =>
      (['rows', 'bytesOut', 'published'] as const).map((figure) => of.reduce((sum, line) => sum + line[figure], 0))
    expect(sums(await catalog.keeper.summary()), 'the lake holds what it held').to.deep.equal(sums(before))
    expect(sums(await catalog.keeper.summary(run.id)).slice(0, 2), 'the run has done nothing').to.deep.equal([0, 0])
    const noted = { ...verifiedAs(bad).published, etag: 'put back' }
    expect(await catalog.keeper.repairPublished({ partition: bad, published: noted })).to.equal(true)
    expect((await rowOf(catalog, bad))['published_etag']).to.equal('put back')
  })

  it('lists every partition once and in order over several pages', async () => {
    const partitions = newPartitions(1_050)
    for (const half of [partitions.slice(500), partitions.slice(0, 500)]) await planned(catalog, half)
    const symbols = [partitions[0]?.symbol ?? '']
    const listed: string[] = []
    for await (const one of catalog.keeper.partitions({ symbols })) listed.push(one.partition.month)
    expect(listed).to.deep.equal(partitions.map((p) => p.month))
    const some = []
    const months = ['1990-03', '2050-01', '1991-01']
    for await (const one of catalog.keeper.partitions({ symbols, months })) some.push(one.partition.month)
    expect(some).to.deep.equal(['1990-03', '1991-01', '2050-01'])
  })

  it('records the repair of a published object, and not over a newer revision', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    const { published: as } = verifiedAs(partition)
    expect(await catalog.keeper.repairPublished({ partition, published: as }), 'not published').to.equal(false)
    await published(catalog, partition)
    expect(await catalog.keeper.repairPublished({ partition, published: { ...as, revision: 'x' } })).to.equal(false)
    expect(await catalog.keeper.repairPublished({ partition, published: { ...as, etag: 'put back' } })).to.equal(true)
    expect((await rowOf(catalog, partition))['published_etag']).to.equal('put back')
  })

  it('knows the workers that beat, since when, and forgets those that leave or fall silent', async () => {
    const doing = [{ stage: 'verify', partition: 'p' }] as const
    const worker = { id: 'host-1', host: 'h', pid: 7, stages: ['download', 'verify'], doing } as const
    await catalog.keeper.heartbeat({ ...worker, doing: [] })
    const [first] = await catalog.keeper.workers()
    await catalog.keeper.heartbeat(worker)
    const [second] = await catalog.keeper.workers()
    expect(second).to.deep.include(worker)
    expect(second?.startedAt).to.deep.equal(first?.startedAt)
    expect(second?.seenAt.getTime()).to.be.at.least(first?.seenAt.getTime() ?? Infinity)
    await catalog.pool.query(`update workers set seen_at = now() - interval '2 days'`)
    await catalog.keeper.heartbeat({ ...worker, id: 'host-2' })
    expect(await catalog.keeper.missWorkers()).to.deep.equal([])
    expect((await catalog.keeper.workers()).map(({ id }) => id)).to.deep.equal(['host-2'])
    await catalog.keeper.leave('host-2')
    expect(await catalog.keeper.workers()).to.deep.equal([])
  })

  it('a worker that missed four beats is lost, or two when a lease of its ran out; it is told of once', async () => {
    const silent = (id: string, seconds: number): Promise<unknown> => catalog.pool.query(
      `update workers set seen_at = now() - $2 * interval '1 second' where id = $1`, [id, seconds])
    const lost = async (): Promise<string[]> =>
      (await catalog.keeper.workers()).filter((worker) => worker.lost).map(({ id }) => id)
    const held = newPartition()
    await planned(catalog, [held])
    const claim = await claimed(catalog, 'download', held, { workerId: 'dead-2' })
    for (const id of ['dead-1', 'dead-2', 'living']) {
      const doing = id === 'dead-2' ? [{ stage: 'download' as const, partition: partitionKeyOf(held), since: '2024-01-01T00:00:00Z' }] : []
      await catalog.keeper.heartbeat({ id, host: 'h', pid: 7, stages: ['download'], doing })
    }
    await silent('dead-1', 19)
    await silent('dead-2', 19)
    expect(await lost()).to.deep.equal([])
    await expire(catalog, claim.token)
    expect(await lost(), 'its lease ran out').to.deep.equal(['dead-2'])
    await silent('dead-1', 21)
    expect(await lost()).to.deep.equal(['dead-1', 'dead-2'])
    const told = await Promise.all(Array.from({ length: 5 }, () => catalog.keeper.missWorkers()))
    expect(told.flat().map(({ id }) => id).sort(), 'once, however many look').to.deep.equal(['dead-1', 'dead-2'])
    expect(told.flat().find(({ id }) => id === 'dead-2')?.doing.map(({ partition }) => partition)).to.deep.equal([partitionKeyOf(held)])
    await catalog.keeper.heartbeat({ id: 'dead-1', host: 'h', pid: 7, stages: ['download'], doing: [] })
    expect(await lost(), 'it was only stopped').to.deep.equal(['dead-2'])
    await silent('dead-1', 30)
    expect((await catalog.keeper.missWorkers()).map(({ id }) => id), 'lost anew, told anew').to.deep.equal(['dead-1'])
  })
})

async function listed<T>(of: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of of) all.push(one)
  return all
}
