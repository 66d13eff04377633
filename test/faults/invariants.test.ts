import { expect } from 'chai'
import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { certificateKeyOf, objectKeyOf } from '../../src/domain/names.js'
import type { Partition } from '../../src/domain/partition.js'
import { violations } from './invariants.js'
import { referenceFor, type Reference } from './reference.js'
import { CANARY, openRig, type Rig } from './rig.js'

/** A checker that sees nothing would pass every scenario. */
describe('faults: the invariants', () => {
  let rig: Rig
  let reference: Reference
  let partition: Partition

  before(async function () {
    this.timeout(900_000)
    reference = await referenceFor(1)
    rig = await openRig({ backend: 'postgres', months: 1 })
    const [first] = rig.sample.partitions
    if (!first) throw new Error('the sample is empty')
    partition = first
    const worker = rig.worker()
    await rig.plan()
    expect(await violations(rig, { reference })).to.deep.equal([])
    await worker.drain()
  })

  after(async function () {
    this.timeout(120_000)
    await rig.close()
  })

  it('see a row that nobody planned', async () => {
    const found = await violations(rig, { reference, partitions: [partition] })
    expect(found).to.have.length(1)
    expect(found[0]).to.include('was not planned')
  })

  it('see an older edition, in object, certificates and catalog', async () => {
    const found = await violations(rig, { reference, republished: [partition] })
    expect(found).to.have.length(5)
  })

  it('see a partition that ended otherwise', async () => {
    const ends = new Map([['spot-klines/AAAUSDT/1h/2021-01', { state: 'quarantined', code: 'CORRUPT' } as const]])
    expect(await violations(rig, { reference, ends })).to.deep.equal([
      'spot-klines/AAAUSDT/1h/2021-01 is verified (null), not quarantined (CORRUPT)',
    ])
  })

  it('see a secret in a log line', async () => {
    const told = Object.assign(Object.create(rig) as Rig, { log: [`password ${CANARY}`] })
    expect(await violations(told, { reference })).to.deep.equal(['this process logged a secret'])
  })

  it('see a file that is left where nobody sweeps', async function () {
    this.timeout(180_000)
    const path = join(rig.lakeDir, dirname(objectKeyOf(partition)), 'data.parquet.old')
    await writeFile(path, 'x')
    const found = await violations(rig, { reference })
    await rm(path)
    expect(found).to.have.length(1)
    expect(found[0]).to.include('left behind').and.include('data.parquet.old')
  })

  it('let reconcile sweep what a worker left', async function () {
    this.timeout(180_000)
    const path = join(rig.stagingDir, dirname(objectKeyOf(partition)), 'g1-0123456789abcdef0123', 'source-0.zip')
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, 'x')
    await mkdir(join(rig.lakeDir, '.tmp'), { recursive: true })
    await writeFile(join(rig.lakeDir, '.tmp', 'unfinished.part'), 'x')
    expect(await violations(rig, { reference })).to.deep.equal([])
  })

  it('see an object and a certificate with other bytes', async () => {
    await appendFile(join(rig.lakeDir, objectKeyOf(partition)), 'x')
    await writeFile(join(rig.lakeDir, certificateKeyOf(partition)), '{"data":{"dataSha256":"0"},"dataHash":"0"}')
    const found = await violations(rig, { reference })
    expect(found.map((what) => /: (the .*) is/.exec(what)?.[1])).to.deep.equal([
      'the object', 'the hash in the certificate beside it', 'the dataHash beside it',
    ])
  })

  it('see work that does not come to its end', async function () {
    this.timeout(120_000)
    await rig.plan({ force: true })
    const { settle } = await import('./settle.js')
    const found = await settle(rig, 2_000)
    expect(found).to.have.length(1)
    expect(found[0]).to.include('not finished').and.include('"download":2')
  })
})
