import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import { PipelineError } from '../../../src/domain/errors.js'
import {
  LEASE_MS, advancedTo, claimed, expire, newPartition, openFresh, planned, published, rowOf, verifiedAs, type Opened,
} from './catalog-fixture.js'

describe('postgres catalog: publish', () => {
  let catalog: Opened
  before(async () => { catalog = await openFresh() })
  after(() => catalog.drop())

  const verifying = async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    await advancedTo(catalog, partition, 'verify')
    return partition
  }
  const count = async (table: string, symbol: string): Promise<number> => {
    const { rows } = await catalog.pool.query<{ count: number }>(
      `select count(*) from ${table} t join partitions p on p.id = t.partition_id where p.symbol = $1`, [symbol])
    return rows[0]?.count ?? -1
  }

  it('records object, certificate, sources and gaps, and what is staged is nobody\'s any more', async () => {
    const partition = await verifying()
    const claim = await claimed(catalog, 'verify', partition)
    const verdict = verifiedAs(partition, { gaps: 3, findings: [{ code: 'GAP_UNKNOWN', count: 3, example: null }] })
    const effect = (before: unknown) => before === null ? Promise.resolve(verdict) : Promise.reject(new Error('not the first'))
    expect(await catalog.stage.publish(claim, effect)).to.equal(true)
    expect(await rowOf(catalog, partition)).to.include({
      state: 'verified', published_rows: 744, published_bytes: 700, source_bytes: 1_000, staged_bytes: 0, flagged: true,
      lease_token: null, code: null,
    })
    expect([await count('sources', partition.symbol), await count('gaps', partition.symbol)]).to.deep.equal([1, 3])
    for await (const summary of catalog.keeper.partitions({ symbols: [partition.symbol] })) {
      expect(summary.published).to.deep.equal(verdict.published)
      expect(summary.certificate).to.deep.equal(verdict.certificate)
    }
    const sources = await catalog.pool.query<object>(`select key, from_us, checksum from sources s
      join partitions p on p.id = s.partition_id where p.symbol = $1`, [partition.symbol])
    expect(sources.rows).to.deep.equal([{ key: claim.work.wanted[0]?.key, from_us: 1_704_067_200_000_000, checksum: 'ok' }])
  })

  it('gives the next revision what it replaces, and leaves no gap of the earlier one', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    await published(catalog, partition, { gaps: 5 })
    await planned(catalog, [partition], { etag: 'new' })
    expect(await rowOf(catalog, partition)).to.include({ state: 'planned', generation: 2, published_rows: 744 })
    await advancedTo(catalog, partition, 'verify', 2)
    const claim = await claimed(catalog, 'verify', partition, { generation: 2 })
    expect(claim.published?.revision).to.equal('r'.repeat(64))
    let seen: string | undefined
    await catalog.stage.publish(claim, (before) => {
      seen = before?.revision
      return Promise.resolve(verifiedAs(partition, { revision: 's'.repeat(64), gaps: 2, state: 'provisional' }))
    })
    expect(seen).to.equal('r'.repeat(64))
    expect(await rowOf(catalog, partition)).to.include({ state: 'provisional', published_revision: 's'.repeat(64) })
    expect(await count('gaps', partition.symbol)).to.equal(2)
  })

  it('rolls back and throws on what the effect throws; the partition is still the worker\'s', async () => {
    const partition = await verifying()
    const claim = await claimed(catalog, 'verify', partition)
    const before = await rowOf(catalog, partition)
    const failure = new PipelineError('STORE_UNREACHABLE', 'the store is away')
    const thrown = await catalog.stage.publish(claim, () => Promise.reject(failure)).catch((error: unknown) => error)
    expect(thrown).to.equal(failure)
    expect(await rowOf(catalog, partition)).to.deep.equal(before)
    expect(await catalog.stage.publish(claim, () => Promise.resolve(verifiedAs(partition)))).to.equal(true)
  })

  it('does not run the effect for a fenced claim', async () => {
    const partition = await verifying()
    const slow = await claimed(catalog, 'verify', partition, { workerId: 'slow' })
    await expire(catalog, slow.token)
    await claimed(catalog, 'verify', partition, { workerId: 'quick' })
    let ran = false
    const effect = () => { ran = true; return Promise.resolve(verifiedAs(partition)) }
    expect(await catalog.stage.publish(slow, effect)).to.equal(false)
    expect(ran).to.equal(false)
  })

  it('holds the row while the effect runs: a second publication waits and is fenced', async () => {
    const partition = await verifying()
    const claim = await claimed(catalog, 'verify', partition)
    const order: string[] = []
    let running = 0
    const effect = (name: string) => async () => {
      expect(++running, 'effects at once').to.equal(1)
      order.push(`${name} starts`)
      await sleep(150)
      order.push(`${name} ends`)
      running--
      return verifiedAs(partition)
    }
    const both = await Promise.all([1, 2].map(() => catalog.stage.publish(claim, effect('one'))))
    expect(both.filter(Boolean)).to.have.length(1)
    expect(order).to.deep.equal(['one starts', 'one ends'])
  })

  it('renews the lease of a row that is being published without waiting for it', async () => {
    const partition = await verifying()
    const claim = await claimed(catalog, 'verify', partition)
    let held: ReadonlySet<string> | undefined
    await catalog.stage.publish(claim, async () => {
      held = await catalog.stage.renew({ tokens: [claim.token], leaseMs: LEASE_MS })
      return verifiedAs(partition)
    })
    expect([...(held ?? [])]).to.deep.equal([claim.token])
  })

  it('records nothing and says CATALOG_UNREACHABLE when its connection is lost during the effect', async () => {
    const partition = await verifying()
    const claim = await claimed(catalog, 'verify', partition)
    let killed = 0
    const thrown: unknown = await catalog.stage.publish(claim, async () => {
      killed = await killTransactions(catalog)
      return verifiedAs(partition)
    }).catch((error: unknown) => error)
    expect(killed, 'connections killed').to.equal(1)
    expect(thrown).to.be.instanceOf(PipelineError).with.property('code', 'CATALOG_UNREACHABLE')
    expect(await rowOf(catalog, partition)).to.include({ state: 'verifying', published_key: null, lease_token: claim.token })
    expect(await count('certificates', partition.symbol)).to.equal(0)
    expect(await catalog.stage.publish(claim, () => Promise.resolve(verifiedAs(partition)))).to.equal(true)
  })

  it('throws the effect\'s own error when the connection was lost as well', async () => {
    const partition = await verifying()
    const claim = await claimed(catalog, 'verify', partition)
    const failure = new PipelineError('DISK_FULL', 'no space')
    const thrown: unknown = await catalog.stage.publish(claim, async () => {
      expect(await killTransactions(catalog)).to.equal(1)
      throw failure
    }).catch((error: unknown) => error)
    expect(thrown).to.equal(failure)
  })
})

async function killTransactions(catalog: Opened): Promise<number> {
  const { rows } = await catalog.pool.query<{ killed: boolean }>(`
    select pg_terminate_backend(pid, 5000) as killed from pg_stat_activity
    where datname = current_database() and state = 'idle in transaction'`)
  return rows.filter((row) => row.killed).length
}
