import { join } from 'node:path'
import type pg from 'pg'
import { openS3ObjectStore } from '../../src/adapters/s3-store/s3-object-store.js'
import { S3Link } from '../../src/adapters/s3-store/s3-link.js'
import { lakePorts } from '../../src/compose-lake.js'
import { ParquetLake } from '../../src/compose-parquet-lake.js'
import type { NumericType } from '../../src/domain/candle.js'
import type { Certificate } from '../../src/domain/certificate.js'
import type { HotCandle } from '../../src/domain/hot-candle.js'
import type { Month } from '../../src/domain/month.js'
import type { Series } from '../../src/domain/partition.js'
import { batchOf } from '../../src/lake/candle-values.js'
import { candleReader } from '../../src/lake/hot-repository.js'
import { hybridRepository, type HybridRepository } from '../../src/lake/hybrid-repository.js'
import { Lake } from '../../src/lake/lake.js'
import { pruneHot, type PrunedDay } from '../../src/lake/prune-hot.js'
import {
  advancedTo, claimed, openFresh, planned, verifiedAs, type Opened,
} from '../integration/postgres/catalog-fixture.js'
import { acquireS3, newPrefix, s3Connection } from './s3.js'
import { tempFolder } from './temp-folder.js'

/** Hot rows, a lake and a catalog of their own, and what the pipeline does with them. */
export type Hybrid = {
  readonly catalog: Opened
  readonly lake: Lake<unknown>
  readonly repository: HybridRepository<unknown>
  /** Puts a month into the lake and the catalog as the pipeline would; what is there is replaced. */
  publish(s: Series, month: Month, rows: readonly HotCandle[], o?: { readonly provisional?: true }): Promise<void>
  /** The same as the rebuilding of a catalog does it, in one transaction. */
  restore(s: Series, month: Month, rows: readonly HotCandle[], o: { readonly provisional: boolean }): Promise<void>
  prune(o: { readonly now: string; readonly hotDays?: number; readonly dryRun?: true }): Promise<PrunedDay[]>
  close(): Promise<void>
}

/** `reading` keeps nothing of what was written through `lake`, as another process would not. */
export type Place = { readonly lake: Lake<unknown>; readonly reading: Lake<unknown>; readonly remove: () => Promise<void> }

export async function inFolder(numericType: NumericType): Promise<Place> {
  const folder = await tempFolder()
  const lake = await ParquetLake.open<unknown>(join(folder.path, 'lake'), { threads: 1, numericType })
  return { lake, reading: lake, remove: () => folder.remove() }
}

export async function inBucket(numericType: NumericType): Promise<Place> {
  const [folder, s3] = [await tempFolder(), await acquireS3()]
  const link = new S3Link(s3Connection(s3))
  const store = openS3ObjectStore({ url: newPrefix(s3), link, conditionalWrites: 'auto' })
  const open = (name: string): Lake<unknown> =>
    new Lake<unknown>(lakePorts(store, { cacheDir: join(folder.path, name), threads: 1 }), { numericType })
  const [lake, reading] = [open('writer'), open('reader')]
  const remove = async (): Promise<void> => {
    await reading.close()
    await link.close()
    await folder.remove()
  }
  return { lake, reading, remove }
}

export type HybridOptions = {
  readonly numericType?: NumericType
  readonly s3?: boolean
  /** Where the catalog's database is made; else on the server that tests share. */
  readonly server?: pg.PoolConfig
}

export async function openHybrid(o: HybridOptions = {}): Promise<Hybrid> {
  const { numericType = 'double', s3 = false, server } = o
  const place = await (s3 ? inBucket : inFolder)(numericType)
  const { lake, reading } = place
  const catalog = await openFresh({}, server)
  const candle = candleReader<unknown>(numericType)
  let restored = 0
  const publish: Hybrid['publish'] = async (s, month, rows, { provisional } = {}) => {
    const partition = { ...s, month }
    const { jobs } = await planned(catalog, [partition], { force: true })
    const generation = jobs[0]?.generation ?? 0
    await advancedTo(catalog, partition, 'verify', generation)
    const claim = await claimed(catalog, 'verify', partition, { generation })
    const state = provisional ? 'provisional' : 'verified'
    const done = await catalog.stage.publish(claim, async () => {
      await lake.write(partition, batchOf(rows.map(candle)))
      const { etag = '', bytes = 0 } = (await lake.object(partition)) ?? {}
      const verified = verifiedAs(partition, { state })
      const certificate: Certificate = { ...verified.certificate, verdict: state }
      return { state, published: { ...verified.published, etag, bytes, rows: rows.length }, certificate }
    })
    if (!done) throw new Error('publication was fenced')
  }
  const restore: Hybrid['restore'] = async (s, month, rows, { provisional }) => {
    const partition = { ...s, month }
    await lake.write(partition, batchOf(rows.map(candle)))
    const { etag = '', bytes = 0 } = (await lake.object(partition)) ?? {}
    const { published, certificate: made } = verifiedAs(partition, {})
    // Newer than the row by any clock.
    const issuedAt = new Date(Date.now() + 60_000 + restored++).toISOString()
    const certificate: Certificate = { ...made, verdict: provisional ? 'provisional' : 'verified', issuedAt }
    const shown = { ...published, etag, bytes, rows: rows.length }
    const isThere = async (): Promise<boolean> => (await lake.object(partition)) !== null
    const row = { partition, published: shown, certificate, sources: [], bounds: null }
    const done = await catalog.keeper.restore(row, isThere, false)
    if (done === 'kept' || done === 'gone') throw new Error('the month was not taken in')
  }
  const prune: Hybrid['prune'] = async ({ now, hotDays = 30, dryRun = false }) => {
    const signal = new AbortController().signal
    const days: PrunedDay[] = []
    const asked = { hot: catalog.hot, lake, numericType, hotDays, now: new Date(now), dryRun, signal }
    for await (const day of pruneHot(asked)) days.push(day)
    return days
  }
  const close = async (): Promise<void> => {
    await lake.close()
    await catalog.drop()
    await place.remove()
  }
  const repository = hybridRepository<unknown>({ hot: catalog.hot, lake: reading, numericType })
  return { catalog, lake, repository, publish, restore, prune, close }
}
