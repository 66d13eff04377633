import { expect } from 'chai'
import { join } from 'node:path'
import { BinanceArchive, slice, type Candle, type Partition, type Slice } from '../../../src/client.js'
import { parseArchiveKey, rangeOfFile } from '../../../src/domain/archive-names.js'
import { serveFolder, type Served } from '../../support/archive.js'
import { canonical, readWithOracle } from '../../support/csv-oracle.js'
import { failingWith } from '../../support/failing-with.js'
import { klineKeysOf, memberOf, realArchiveDir } from '../../support/real-archive.js'

const root = realArchiveDir()

/** A candle in the oracle's words. */
const worded = (c: Candle<string>) => ({
  openUs: c.openTimeUs,
  closeUs: c.closeTimeUs,
  values: [
    c.open, c.high, c.low, c.close, c.volume, c.quoteVolume, String(c.trades), c.takerBuyVolume, c.takerBuyQuoteVolume,
  ].map(canonical),
})

if (root === null) console.error('REAL_ARCHIVE_DIR is not set: BinanceArchive is not tried on real archive files')
else {
  describe('BinanceArchive over real archive files', function () {
    this.timeout(120_000)
    let served: Served
    let client: BinanceArchive

    before(async () => {
      served = await serveFolder(root)
      client = new BinanceArchive({ archiveUrl: served.url })
    })
    after(async () => {
      await client.close()
      await served.close()
    })

    const candles = async (at: Partition | Slice): Promise<Candle<string>[]> => {
      const found: Candle<string>[] = []
      for await (const batch of client.candles(at)) found.push(...batch)
      return found
    }

    const keys = klineKeysOf(root)
    it('are there', () => expect(keys.length).to.be.above(60))

    for (const key of keys) {
      it(`gives ${key} as its CSV says it, to the last digit`, async () => {
        const file = parseArchiveKey(key)
        if (!file) throw new Error(`not an archive key: ${key}`)
        const range = rangeOfFile(file)
        const at = file.day === null ? { ...file.series, month: file.month } : { ...file.series, ...range }
        const oracle = readWithOracle(memberOf(join(root, key)), range)
        expect((await candles(at)).map(worded)).to.deep.equal(oracle)
      })
    }

    it('gives eight years of hours in one loop, in order', async () => {
      const hours = slice({ dataset: 'spot-klines', symbol: 'BTCUSDT', interval: '1h' }, '2017-08', '2020-12')
      const months = keys.filter((key) => /monthly.*BTCUSDT-1h-20(1[789]|20)-/.test(key))
      const want = months.map((key) => readWithOracle(memberOf(join(root, key)), hours)?.length ?? 0)
      const rows = await candles(hours)
      expect(rows).to.have.length(want.reduce((sum, count) => sum + count, 0))
      expect(months).to.have.length(41)
      rows.forEach((row, i) => expect(row.openTimeUs > (rows[i - 1]?.openTimeUs ?? 0n)).to.equal(true))
    })

    it('knows the last month that is there', async () => {
      const at = { dataset: 'um-klines', symbol: 'FILUSDT', interval: '1m' } as const
      expect(await client.latestAvailableMonth(at)).to.equal('2023-06')
      await failingWith('ARCHIVE_ABSENT', candles({ ...at, month: '2023-07' }))
    })
  })
}
