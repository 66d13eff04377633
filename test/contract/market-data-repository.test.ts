import { hotRepository } from '../../src/lake/hot-repository.js'
import { warmRepository } from '../../src/lake/warm-repository.js'
import { openFresh } from '../integration/postgres/catalog-fixture.js'
import type { MarketDataRepository } from '../../src/domain/ports/market-data-repository.js'
import type { Candle } from '../../src/lake/candle.js'
import { inBucket, inFolder, openHybrid } from '../support/hybrid.js'
import { systemPostgres } from '../support/postgres.js'
import { marketDataRepositoryContract } from './market-data-repository.contract.js'

for (const [where, place] of [['folder', inFolder], ['bucket', inBucket]] as const) marketDataRepositoryContract({
  name: `Parquet, the lake in a ${where}`,
  open: async () => {
    const { lake, remove } = await place('double')
    const close = async (): Promise<void> => {
      await lake.close()
      await remove()
    }
    return { repository: warmRepository(lake) as MarketDataRepository<Candle>, close }
  },
})

const system = systemPostgres()
if (system === null) console.error('not run: the contract on a PostgreSQL of the distribution, of which there is none here')

for (const { name, server } of [{ name: 'Postgres', server: () => Promise.resolve(undefined) }, system].filter((one) => one !== null)) {
  marketDataRepositoryContract({
    name,
    open: async () => {
      const catalog = await openFresh({}, await server())
      return { repository: hotRepository(catalog.hot, 'double'), close: catalog.drop }
    },
  })

  for (const s3 of [false, true]) marketDataRepositoryContract({
    name: `hybrid over ${name}, the lake in a ${s3 ? 'bucket' : 'folder'}`,
    open: async () => {
      const on = await server()
      const hybrid = await openHybrid({ s3, ...(on && { server: on }) })
      return { repository: hybrid.repository as MarketDataRepository<Candle>, close: () => hybrid.close() }
    },
  })
}
