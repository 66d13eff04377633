import { expect } from 'chai'
import type { Ended } from '../../../src/domain/ports/stage-catalog.js'
import {
  LEASE_MS, advanceOf, advancedTo, claimed, expire, newPartition, openFresh, planned, published, rowOf, type Opened,
} from './catalog-fixture.js'

const quarantinedAs = (over: Partial<Ended> = {}): Ended => ({
  state: 'quarantined', code: 'CORRUPT', message: 'row 7: volume -3', facts: { finding: 'VOLUME_NEGATIVE', row: 7 },
  findings: [{ code: 'VOLUME_NEGATIVE', count: 1, example: 'row 7' }], kept: 'q/1', attempt: 0, ...over,
})

describe('postgres catalog: fenced writes', () => {
  let catalog: Opened
  before(async () => { catalog = await openFresh() })
  after(() => catalog.drop())

  const listed = async (symbol: string) => {
    const entries = []
    for await (const entry of catalog.keeper.quarantine({ symbols: [symbol] })) entries.push(entry)
    return entries
  }

  it('moves a partition through its stages, adding to its work, and frees the lease each time', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    for (const [stage, state] of [['download', 'converting'], ['convert', 'uploading'], ['upload', 'verifying']] as const) {
      const claim = await claimed(catalog, stage, partition)
      expect(await catalog.stage.commit(claim, advanceOf(claim))).to.equal(true)
      expect(await rowOf(catalog, partition)).to.include({ state, lease_token: null, lease_until: null, crashes: 0 })
      expect(await catalog.stage.commit(claim, advanceOf(claim)), 'a second time').to.equal(false)
    }
    const { work } = await claimed(catalog, 'verify', partition)
    expect(Object.keys(work).sort()).to.deep.equal(['bounds', 'converted', 'downloaded', 'uploaded', 'wanted'])
  })

  it('fences a commit when the generation was raised in between', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    const claim = await claimed(catalog, 'download', partition)
    await expire(catalog, claim.token)
    const [job] = await catalog.keeper.requeue([{ partition, generation: 1, stage: 'download' }])
    expect(job).to.deep.include({ generation: 2, stage: 'download', kind: 'backfill' })
    expect(await catalog.stage.commit(claim, advanceOf(claim))).to.equal(false)
    expect(await rowOf(catalog, partition)).to.include({ state: 'downloading', generation: 2 })
  })

  it('renews the leases that are still held and tells which', async () => {
    const [kept, lost] = [newPartition(), newPartition()]
    await planned(catalog, [kept, lost])
    const a = await claimed(catalog, 'download', kept, { leaseMs: 1_000 })
    const b = await claimed(catalog, 'download', lost, { workerId: 'slow' })
    await expire(catalog, b.token)
    await claimed(catalog, 'download', lost, { workerId: 'other' })
    const held = await catalog.stage.renew({ tokens: [a.token, b.token, 'nobody'], leaseMs: LEASE_MS })
    expect([...held]).to.deep.equal([a.token])
    const until = (await rowOf(catalog, kept))['lease_until'] as Date
    expect(until.getTime() - Date.now()).to.be.greaterThan(LEASE_MS / 2)
  })

  it('starts a partition over with a raised generation, what it is made from kept and what was staged forgotten', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    await advancedTo(catalog, partition, 'upload')
    const claim = await claimed(catalog, 'upload', partition)
    const staged = await catalog.stage.stagedBytes()
    expect(await catalog.stage.restart(claim, 'STAGING_LOST')).to.deep.equal({ generation: 2 })
    expect(staged - (await catalog.stage.stagedBytes())).to.equal(1_700)
    const row = await rowOf(catalog, partition)
    expect(row).to.include({ state: 'planned', generation: 2, code: 'STAGING_LOST', lease_token: null })
    expect(Object.keys(row['work'] as object).sort()).to.deep.equal(['bounds', 'restarts', 'wanted'])
  })

  it('counts the bytes of staged files until the partition ends', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    const before = await catalog.stage.stagedBytes()
    await advancedTo(catalog, partition, 'convert')
    expect((await catalog.stage.stagedBytes()) - before).to.equal(1_000)
    const convert = await claimed(catalog, 'convert', partition)
    await catalog.stage.commit(convert, advanceOf(convert))
    expect((await catalog.stage.stagedBytes()) - before).to.equal(1_700)
    const upload = await claimed(catalog, 'upload', partition)
    await catalog.stage.end(upload, quarantinedAs())
    expect((await catalog.stage.stagedBytes()) - before).to.equal(0)
  })

  it('keeps a quarantined partition in the list with everything that was found, until it is retried', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    await advancedTo(catalog, partition, 'convert')
    const claim = await claimed(catalog, 'convert', partition)
    expect(await catalog.stage.end(claim, quarantinedAs())).to.equal(true)
    const [entry] = await listed(partition.symbol)
    expect(entry).to.deep.include({
      partition, generation: 1, code: 'CORRUPT', message: 'row 7: volume -3', kept: 'q/1',
      facts: { finding: 'VOLUME_NEGATIVE', row: 7 },
    })
    expect(entry?.since).to.be.instanceOf(Date)
    expect(await catalog.stage.reopen({ partition, generation: 2 }), 'another generation').to.equal(null)
    expect(await catalog.stage.reopen({ partition, generation: 1 })).to.deep.equal({ generation: 2 })
    expect(await listed(partition.symbol)).to.deep.equal([])
    expect(await rowOf(catalog, partition)).to.include({ state: 'planned', code: null, ended_stage: null })
    await published(catalog, partition, { generation: 2 })
    expect(await rowOf(catalog, partition)).to.include({ state: 'verified', generation: 2 })
  })

  it('replaces the entry of a partition that is quarantined again', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    await catalog.stage.end(await claimed(catalog, 'download', partition), quarantinedAs())
    await catalog.stage.reopen({ partition, generation: 1 })
    const again = await claimed(catalog, 'download', partition, { generation: 2 })
    await catalog.stage.end(again, quarantinedAs({ code: 'ZIP_CORRUPT', kept: null }))
    const entries = await listed(partition.symbol)
    expect(entries).to.have.length(1)
    expect(entries[0]).to.include({ generation: 2, code: 'ZIP_CORRUPT', kept: null })
  })

  it('does not reopen what did not fail', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    expect(await catalog.stage.reopen({ partition, generation: 1 })).to.equal(null)
    await published(catalog, partition)
    expect(await catalog.stage.reopen({ partition, generation: 1 })).to.equal(null)
  })

  it('remembers the sources that an ended partition was made of, for the next plan', async () => {
    const partition = newPartition()
    await planned(catalog, [partition], { etag: 'listed' })
    await advancedTo(catalog, partition, 'convert')
    const claim = await claimed(catalog, 'convert', partition)
    await catalog.stage.end(claim, quarantinedAs())
    const row = [...(await catalog.plan.rowsOf([partition])).values()][0]
    expect(row).to.deep.include({ state: 'quarantined', generation: 1, leased: false })
    expect(row?.sources.map(({ key, etag }) => ({ key, etag }))).to.deep.equal([{ key: claim.work.wanted[0]?.key, etag: 'e1' }])
  })

  it('stores text that Postgres refuses, with the offending characters replaced', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    const claim = await claimed(catalog, 'download', partition)
    const nasty = 'a\0b\ud800c\\u0000d\ude00'
    await catalog.stage.end(claim, quarantinedAs({ message: nasty, facts: { nasty }, kept: nasty }))
    const [entry] = await listed(partition.symbol)
    const stored = 'a\ufffdb\ufffdc\\u0000d\ufffd'
    expect(entry).to.deep.include({ message: stored, facts: { nasty: stored }, kept: stored })
  })
})
