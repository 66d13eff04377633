import { expect } from 'chai'
import { join } from 'node:path'
import { ParquetLake } from '../../../src/compose-parquet-lake.js'
import { slice } from '../../../src/domain/slice.js'
import { CandleQuery } from '../../../src/lake/candle-query.js'
import { CandleFiles } from '../../support/candle-files.js'
import { tempFolder } from '../../support/temp-folder.js'

const HOUR_US = 3_600_000_000n

/** Ways of adding up differ by how large the values are that the footers tell of: 2^25 and 2^26 are where they change. */
const LARGEST: readonly (readonly [what: string, units: bigint, step?: bigint])[] = [
  ['small ones', 1_000_000_000n],
  ['those just below 2^25', 3_355_443_199_999_999n],
  ['those around 2^25', 3_455_443_200_000_000n],
  // A double beyond 2^26 cannot tell all numbers of eight decimals apart.
  ['those around 2^26, of five decimals', 6_910_886_400_000_000n, 1_000n],
]

describe('totals of double candles', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>

  before(async () => {
    folder = await tempFolder()
  })

  after(() => folder.remove())

  for (const [what, most, step = 1n] of LARGEST) {
    it(`of ${what} are the doubles of the exact sums`, async () => {
      const root = join(folder.path, String(most))
      const files = await CandleFiles.in(root)
      // Whole units below 2^53 over 10^8: the double nearest to a number of eight decimals.
      const units = `((${most} - (hash(i) % ${most / 20n})::BIGINT) // ${step} * ${step})`
      await files.write('spot-klines/BTCUSDT/1m/2024-01', { columns: { volume: `(${units}::DOUBLE / 1e8)` } })
      const sums = await files.query(
        `SELECT sum(${units})::VARCHAR FROM range(44640) t(i) GROUP BY i // 60 ORDER BY i // 60`,
      )
      files.close()
      const lake = await ParquetLake.open(root)
      const query = new CandleQuery(lake)
      const minutes = slice({ dataset: 'spot-klines', symbol: 'BTCUSDT', interval: '1m' }, '2024-01', '2024-01')
      const hours = await query.resample(minutes, '1h').rows()
      await query.close()
      await lake.close()
      const opened = hours.map((_, n) => minutes.fromUs + BigInt(n) * HOUR_US)
      expect(hours.map(({ openTimeUs }) => openTimeUs)).to.deep.equal(opened)
      expect(hours.map(({ volume }) => volume)).to.deep.equal(sums.map(([sum]) => Number(`${String(sum)}e-8`)))
    })
  }
})
