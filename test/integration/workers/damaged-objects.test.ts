import { PutObjectCommand } from '@aws-sdk/client-s3'
import { expect } from 'chai'
import { S3Link } from '../../../src/adapters/s3-store/s3-link.js'
import type { Certificate } from '../../../src/domain/certificate.js'
import { dataHashOf } from '../../../src/domain/certify.js'
import type { PipelineError } from '../../../src/domain/errors.js'
import { certificateKeyOf, objectKeyOf } from '../../../src/domain/names.js'
import { partitionKeyOf, type Partition } from '../../../src/domain/partition.js'
import type { CandleEngine } from '../../../src/domain/ports/engine.js'
import type { JobQueue } from '../../../src/domain/ports/job-queue.js'
import type { ObjectStore } from '../../../src/domain/ports/object-store.js'
import { certificateText } from '../../../src/workers/certificate-beside.js'
import { rebuildCatalog, type Rebuilt } from '../../../src/workers/rebuild-catalog.js'
import { repairPublished, type Repaired } from '../../../src/workers/repair.js'
import { openS3Rig, sha256, type S3Rig } from '../../faults/s3/s3-rig.js'
import { s3Connection } from '../../support/s3.js'
import { advancedTo, claimed, newPartitions, openFresh, planned, verifiedAs, type Opened } from '../postgres/catalog-fixture.js'

const unused = (): never => expect.fail('not asked for in these tests')
const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const queue: JobQueue = {
  enqueue: () => Promise.resolve(), alive: (rows) => Promise.resolve(rows), counts: unused, failures: unused, ping: unused, close: unused,
}
const { signal } = new AbortController()

describe('objects whose bytes are not those of the digest that S3 keeps beside them', function () {
  this.timeout(60_000)
  let catalog: Opened
  let rig: S3Rig
  let all: Partition[]
  beforeEach(async () => {
    ;[catalog, rig, all] = [await openFresh(), await openS3Rig(), newPartitions(4)]
    await catalog.keeper.adoptLake({ url: rig.url, numericType: 'double' })
  })
  afterEach(async () => {
    await catalog.drop()
    await rig.close()
  })

  const put = async (key: string, text: string, store = rig.store): Promise<{ etag: string; sha256Hex: string; bytes: number }> => {
    const file = await rig.file(Buffer.from(text))
    return { ...(await store.put({ key, ...file })), sha256Hex: file.sha256Hex }
  }
  /** Other bytes beside the digest of those that were there; a get fails. */
  const damage = async (key: string, was: string): Promise<void> => {
    const link = new S3Link(s3Connection(rig.s3))
    const { pathname } = new URL(rig.url)
    const Metadata = { sha256: sha256(Buffer.from(was)), write: 'w' }
    const Body = was.replace(/^./, '?')
    await link.client.send(new PutObjectCommand({ Bucket: rig.s3.bucket, Key: `${pathname.slice(1)}/${key}`, Body, Metadata }))
    await link.close()
    const read = async (): Promise<void> => {
      for await (const _ of await rig.store.get({ key })) continue
    }
    const code = await read().then(() => null, (thrown: PipelineError) => thrown.code)
    expect(code, 'the fault').to.equal('OBJECT_CORRUPT')
  }

  it('are left out of a catalog rebuilt, as is what changes under it, and the others go on', async () => {
    for (const p of all) {
      await put(objectKeyOf(p), p.month)
      await put(certificateKeyOf(p), certificateText(certificateOf(p)))
    }
    const [bytes, beside, changed, good] = all as [Partition, Partition, Partition, Partition]
    await damage(objectKeyOf(bytes), bytes.month)
    await damage(certificateKeyOf(beside), certificateText(certificateOf(beside)))
    const lake = Object.assign(Object.create(rig.store) as ObjectStore, {
      get: async (o: Parameters<ObjectStore['get']>[0]) => {
        if (o.key === objectKeyOf(changed)) await put(o.key, 'another', rig.store)
        return await rig.store.get(o)
      },
      head: rig.store.head.bind(rig.store), list: rig.store.list.bind(rig.store),
      materialise: rig.store.materialise.bind(rig.store),
    })
    const rebuilt = new Map<string, Rebuilt>()
    const ports = { keeper: catalog.keeper, lake, engine: { inspect: unused } as unknown as CandleEngine, numericType: 'double' as const }
    for await (const one of rebuildCatalog(ports, { matches: () => true, dryRun: false, signal })) rebuilt.set(one.partition, one)
    const of = (p: Partition): Rebuilt | undefined => rebuilt.get(partitionKeyOf(p))
    expect(of(bytes)).to.include({ outcome: 'left_out' })
    expect(of(bytes)?.reason).to.match(/^it is damaged: the bytes are not those that were stored/)
    expect(of(beside)).to.include({ outcome: 'left_out' })
    expect(of(beside)?.reason).to.match(/^the bytes are not those that were stored/)
    expect(of(changed)).to.include({ outcome: 'left_out', reason: 'it was removed or replaced meanwhile' })
    expect(of(good)).to.include({ outcome: 'added', rows: 744 })
  })

  it('are done again by reconcile, and a certificate is written anew', async () => {
    await planned(catalog, all)
    for (const p of all) {
      await advancedTo(catalog, p, 'verify')
      const c = await claimed(catalog, 'verify', p)
      const verified = verifiedAs(p)
      await put(certificateKeyOf(p), certificateText(verified.certificate))
      const published = { ...verified.published, ...(await put(objectKeyOf(p), p.month)), key: objectKeyOf(p) }
      await catalog.stage.publish(c, () => Promise.resolve({ ...verified, published }))
    }
    const [bytes, beside] = all as [Partition, Partition]
    await damage(objectKeyOf(bytes), bytes.month)
    await damage(certificateKeyOf(beside), certificateText(verifiedAs(beside).certificate))
    const pass = (): Promise<Repaired> => repairPublished({ ...catalog, lake: rig.store, log, queue }, null)
    expect(await pass()).to.deep.equal({ noted: 0, restarted: 1, certificates: 1, missed: 0 })
    expect(await pass()).to.deep.equal({ noted: 0, restarted: 0, certificates: 0, missed: 0 })
  })
})

function certificateOf(p: Partition): Certificate {
  const data = {
    partition: partitionKeyOf(p), numericType: 'double', dataBytes: p.month.length, dataSha256: sha256(Buffer.from(p.month)),
    rows: 744, revision: 'r'.repeat(64), sources: [],
  } as unknown as Certificate['data']
  return { ...verifiedAs(p).certificate, data, dataHash: dataHashOf(data) }
}
