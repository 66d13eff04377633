import { expect } from 'chai'
import { filterMatching } from '../../../src/cli/matching.js'
import { parsePartitionGlob } from '../../../src/domain/partition-glob.js'
import { parsePartitionKey } from '../../../src/domain/partition.js'
import type { KeeperCatalog, PartitionFilter, PartitionSummary } from '../../../src/domain/ports/keeper-catalog.js'

const KEYS = [
  'spot-klines/BTCUSDT/1h/2024-01',
  'spot-klines/BTCUSDT/1h/2024-02',
  'spot-klines/BTCUSDT/1h/2023-12',
  'spot-klines/ETHBTC/1h/2024-01',
  'spot-klines/ETHUSDT/1h/2024-03',
]

/** A catalog of those keys that counts how often its partitions are read. */
function catalog() {
  const asked: PartitionFilter[] = []
  const keeper: Pick<KeeperCatalog, 'partitions'> = {
    async *partitions(filter) {
      asked.push(filter)
      await Promise.resolve()
      for (const key of KEYS) yield { partition: parsePartitionKey(key) } as PartitionSummary
    },
  }
  return { keeper, asked }
}

const match = async (glob: string) => {
  const { keeper, asked } = catalog()
  return { filter: await filterMatching(keeper, parsePartitionGlob(glob)), asked }
}

describe('partitions that match a glob', () => {
  it('are named by symbol and month where those are patterns', async () => {
    const { filter, asked } = await match('spot-klines/*USDT/1h/2024-*')
    expect(filter).to.deep.equal({
      datasets: ['spot-klines'],
      intervals: ['1h'],
      symbols: ['BTCUSDT', 'ETHUSDT'],
      months: ['2024-01', '2024-02', '2024-03'],
    })
    expect(asked).to.deep.equal([{ datasets: ['spot-klines'], intervals: ['1h'] }])
  })

  it('need no look into the catalog where nothing is a pattern', async () => {
    const { filter, asked } = await match('spot-klines/BTCUSDT/1h/2024-01')
    expect(filter).to.deep.equal({
      datasets: ['spot-klines'],
      symbols: ['BTCUSDT'],
      intervals: ['1h'],
      months: ['2024-01'],
    })
    expect((await match('*')).filter).to.deep.equal({})
    expect(asked).to.deep.equal([])
  })

  it('are none where no symbol or month fits', async () => {
    expect((await match('spot-klines/BNB*')).filter).to.equal(null)
    expect((await match('spot-klines/ETHBTC/1h/2023-*')).filter).to.equal(null)
  })
})
