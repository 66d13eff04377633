import { join } from 'node:path'
import { ParquetLake } from '../../src/compose-lake.js'
import type { NumericType } from '../../src/domain/candle.js'
import type { Certificate } from '../../src/domain/certificate.js'
import type { HotCandle } from '../../src/domain/hot-candle.js'
import type { Month } from '../../src/domain/month.js'
import type { Series } from '../../src/domain/partition.js'
import { batchOf } from '../../src/lake/candle-values.js'
import { candleReader } from '../../src/lake/hot-repository.js'
import { hybridRepository, type HybridRepository } from '../../src/lake/hybrid-repository.js'
import { pruneHot, type PrunedDay } from '../../src/lake/prune-hot.js'
import {
  advancedTo, claimed, openFresh, planned, verifiedAs, type Opened,
} from '../integration/postgres/catalog-fixture.js'
import { tempFolder } from './temp-folder.js'

/** Hot rows, a lake and a catalog of their own, and what the pipeline does with them. */
export type Hybrid = {
  readonly catalog: Opened
  readonly lake: ParquetLake<unknown>
  readonly repository: HybridRepository<unknown>
  /** Puts a month into the lake and the catalog as the pipeline would; what is there is replaced. */
  publish(s: Series, month: Month, rows: readonly HotCandle[], o?: { readonly provisional?: true }): Promise<void>
  prune(o: { readonly now: string; readonly hotDays?: number; readonly dryRun?: true }): Promise<PrunedDay[]>
  close(): Promise<void>
}

export async function openHybrid(numericType: NumericType = 'double'): Promise<Hybrid> {
  const [folder, catalog] = [await tempFolder(), await openFresh()]
  const lake = await ParquetLake.open<unknown>(join(folder.path, 'lake'), { threads: 1, numericType })
  const candle = candleReader<unknown>(numericType)
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
    await folder.remove()
  }
  const repository = hybridRepository<unknown>({ hot: catalog.hot, lake, numericType })
  return { catalog, lake, repository, publish, prune, close }
}
