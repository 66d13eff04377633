import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { PipelineError } from '../../../src/domain/errors.js'
import { certificateKeyOf, objectKeyOf } from '../../../src/domain/names.js'
import type { Partition } from '../../../src/domain/partition.js'
import type { JobQueue } from '../../../src/domain/ports/job-queue.js'
import { openFileStaging } from '../../../src/adapters/file-store/file-staging.js'
import { certificateText } from '../../../src/workers/certificate-beside.js'
import { reconcileEvery } from '../../../src/workers/reconcile.js'
import { openS3Rig, type S3Rig } from '../../faults/s3/s3-rig.js'
import { until } from '../../support/cli.js'
import { advancedTo, claimed, newPartitions, openFresh, planned, verifiedAs, type Opened } from '../postgres/catalog-fixture.js'

const WORKERS = 8
const PARTITIONS = 12
const PERIOD_MS = 1_000
const unused = (): never => expect.fail('not asked for in these tests')
const queue: JobQueue = { enqueue: unused, alive: (rows) => Promise.resolve(rows), counts: unused, failures: unused, ping: unused, close: unused }
const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

describe('published objects compared by many workers', function () {
  this.timeout(60_000)
  let catalog: Opened
  let rig: S3Rig
  beforeEach(async () => {
    ;[catalog, rig] = [await openFresh(), await openS3Rig()]
    await catalog.keeper.adoptLake({ url: rig.url, numericType: 'double' })
  })
  afterEach(async () => {
    await catalog.drop()
    await rig.close()
  })

  const put = async (key: string, text: string): Promise<{ etag: string; sha256Hex: string; bytes: number }> => {
    const sha256Hex = createHash('sha256').update(text).digest('hex')
    return { ...(await rig.store.put({ key, ...(await rig.file(Buffer.from(text))) })), sha256Hex }
  }
  /** Publishes partitions with objects that are the catalog's. */
  const publishAll = async (partitions: readonly Partition[]): Promise<void> => {
    await planned(catalog, partitions)
    for (const partition of partitions) {
      await advancedTo(catalog, partition, 'verify')
      const c = await claimed(catalog, 'verify', partition)
      const verified = verifiedAs(partition)
      await put(certificateKeyOf(partition), certificateText(verified.certificate))
      const published = { ...verified.published, ...(await put(objectKeyOf(partition), partition.month)), key: objectKeyOf(partition) }
      await catalog.stage.publish(c, () => Promise.resolve({ ...verified, published }))
    }
  }
  const reconcilers = async (count: number, stop: AbortController): Promise<Promise<void>[]> => {
    const staging = await openFileStaging({ url: `${rig.scratch}/staging`, create: true })
    const ports = { ...catalog, lake: rig.store, staging, queue, log, now: () => new Date() }
    return Array.from({ length: count }, () => reconcileEvery(ports, PERIOD_MS, stop.signal))
  }

  it('one compares for all: two requests for an object, and as many where a period lies before it', async () => {
    await publishAll(newPartitions(PARTITIONS))
    const asked = new Map<string, number>()
    rig.proxy.choose = ({ method, path }) => {
      if (/(data\.parquet|certificate\.json)$/.test(path)) asked.set(method, (asked.get(method) ?? 0) + 1)
      return null
    }
    const stop = new AbortController()
    const running = await reconcilers(WORKERS, stop)
    await sleep(6 * PERIOD_MS)
    stop.abort()
    await Promise.all(running)
    const requests = [...asked.values()].reduce((sum, count) => sum + count, 0) / PARTITIONS
    expect(requests).to.be.within(2, 4)
  })

  it('a turn that failed, or whose process died, leaves its rows to the next one', async () => {
    const seen: number[] = []
    const turn = (effect: (since: Date) => Promise<unknown>): Promise<unknown> => catalog.keeper.comparing(100, async (since) => {
      seen.push(since.getTime())
      return await effect(since)
    })
    const failed = await turn(() => Promise.reject(new PipelineError('STORE_BUSY', 'made'))).catch((thrown: PipelineError) => thrown.code)
    expect(failed).to.equal('STORE_BUSY')
    expect(await turn(async () => await turn(() => Promise.resolve('two at once'))), 'while one compares').to.equal(null)
    expect(seen[1], 'from where the failed one began').to.equal(seen[0])
    expect(await turn(unused), 'within the period').to.equal(null)
    await sleep(150)
    void turn(() => new Promise(() => undefined)) // dies
    await until('it has begun', () => seen.length === 3)
    await sleep(150)
    expect(await turn(unused)).to.equal(null)
    await catalog.pool.query(`update lake set comparing_until = now() - interval '1 second'`)
    expect(await turn(() => Promise.resolve('next'))).to.equal('next')
    expect(seen[3], 'from where the dead one began').to.equal(seen[2])
    expect(seen[2]).to.be.greaterThan(seen[1] ?? 0)
  })

  it('a turn that takes longer than it may is recorded all the same, and leaves the turn to who has it now', async () => {
    const comparedAt = async (): Promise<number> => {
      const { rows } = await catalog.pool.query<{ at: Date; comparer: string | null }>('select compared_at as at, comparer from lake')
      isTaken = rows[0]?.comparer !== null
      return rows[0]?.at.getTime() ?? 0
    }
    let isTaken = false
    const before = await comparedAt()
    const letGo: (() => void)[] = []
    const turn = (): Promise<unknown> => catalog.keeper.comparing(60_000, () => new Promise<void>((resolve) => letGo.push(resolve)))
    const slow = turn()
    await until('the slow one has begun', () => letGo.length === 1)
    await catalog.pool.query(`update lake set comparing_until = now() - interval '1 second'`)
    const other = turn()
    await until('another one keeps it company', () => letGo.length === 2)
    letGo[0]?.()
    await slow
    const slowBegan = await comparedAt()
    expect(slowBegan, 'recorded').to.be.greaterThan(before)
    expect(isTaken, 'the other one has its turn').to.equal(true)
    letGo[1]?.()
    await other
    expect(await comparedAt()).to.be.greaterThan(slowBegan)
    expect(isTaken).to.equal(false)
  })

  it('rows that changed while the store refuses are compared when it answers again', async () => {
    const [partition] = newPartitions(1)
    if (!partition) throw new Error('no partition')
    await publishAll([partition])
    await rig.store.delete(certificateKeyOf(partition))
    let [refused, isAway] = [0, true]
    rig.proxy.choose = ({ path }) => {
      if (!isAway || !path.endsWith('data.parquet')) return null
      refused++
      return 'denied'
    }
    const stop = new AbortController()
    const running = await reconcilers(2, stop)
    await until('it was refused', () => refused > 2, 10_000)
    isAway = false
    const mended = async (): Promise<boolean> => (await rig.store.head(certificateKeyOf(partition))) !== null
    await until('the certificate is back', mended, 20_000).finally(() => stop.abort())
    await Promise.all(running)
  })
})
