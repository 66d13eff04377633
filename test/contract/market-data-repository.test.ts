import { join } from 'node:path'
import { ParquetLake } from '../../src/compose-parquet-lake.js'
import { hotRepository } from '../../src/lake/hot-repository.js'
import { warmRepository } from '../../src/lake/warm-repository.js'
import { openFresh } from '../integration/postgres/catalog-fixture.js'
import type { MarketDataRepository } from '../../src/domain/ports/market-data-repository.js'
import type { Candle } from '../../src/lake/candle.js'
import { openHybrid } from '../support/hybrid.js'
import { tempFolder } from '../support/temp-folder.js'
import { marketDataRepositoryContract } from './market-data-repository.contract.js'

marketDataRepositoryContract({
  name: 'Parquet',
  open: async () => {
    const folder = await tempFolder()
    const lake = await ParquetLake.open(join(folder.path, 'lake'), { threads: 1 })
    const close = async (): Promise<void> => {
      await lake.close()
      await folder.remove()
    }
    return { repository: warmRepository(lake), close }
  },
})

marketDataRepositoryContract({
  name: 'Postgres',
  open: async () => {
    const catalog = await openFresh()
    return { repository: hotRepository(catalog.hot, 'double'), close: catalog.drop }
  },
})

for (const s3 of [false, true]) marketDataRepositoryContract({
  name: `hybrid, the lake in a ${s3 ? 'bucket' : 'folder'}`,
  open: async () => {
    const hybrid = await openHybrid({ s3 })
    return { repository: hybrid.repository as MarketDataRepository<Candle>, close: () => hybrid.close() }
  },
})
