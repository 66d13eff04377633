import { join } from 'node:path'
import { ParquetLake } from '../../src/compose-lake.js'
import { warmRepository } from '../../src/lake/warm-repository.js'
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
