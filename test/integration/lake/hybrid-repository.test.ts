import { expect } from 'chai'
import type { HotCandle } from '../../../src/domain/hot-candle.js'
import { sliceOf } from '../../../src/domain/slice.js'
import { batchOf } from '../../../src/lake/candle-values.js'
import { candleReader } from '../../../src/lake/hot-repository.js'
import { failingWith } from '../../support/failing-with.js'
import { BTC_1M, hotBar, hotBars, usAt } from '../../support/hot-candles.js'
import { openHybrid, type Hybrid } from '../../support/hybrid.js'

const at = (from: string, to: string) => sliceOf(BTC_1M, usAt(from), usAt(to))
const YEAR = at('2024-01-01', '2025-01-01')

describe('hybrid repository', () => {
  let h: Hybrid

  beforeEach(async () => {
    h = await openHybrid()
  })

  afterEach(() => h.close())

  const candles = (...rows: readonly (readonly HotCandle[])[]) => rows.flat().map(candleReader<unknown>('double'))

  it('reads both sides, says which part is of which; where both have a row, the published month counts', async () => {
    const warm = hotBars('2024-01-31T23:00Z', 30)
    const hot = [...hotBars('2024-01-31T23:10Z', 50, 7), ...hotBars('2024-02-01T00:00Z', 10, 7)]
    await h.publish(BTC_1M, '2024-01', warm)
    await h.catalog.hot.save(BTC_1M, hot, 'closed')
    const { rows, parts } = await h.repository.read(YEAR)
    expect(rows).to.deep.equal(candles(warm, hot.slice(20)))
    expect(parts).to.deep.equal([
      { from: 'warm', rows: 30, fromUs: usAt('2024-01-31T23:00Z'), toUs: usAt('2024-01-31T23:29Z') },
      { from: 'hot', rows: 40, fromUs: usAt('2024-01-31T23:30Z'), toUs: usAt('2024-02-01T00:09Z') },
    ])
    expect(await h.repository.getByDateRange(at('2024-01-31T23:29Z', '2024-01-31T23:31Z')))
      .to.deep.equal(candles(warm.slice(29), hot.slice(20, 21)))
  })

  it('a provisional month fills in what is not hot, and does not replace it', async () => {
    await h.publish(BTC_1M, '2024-01', hotBars('2024-01-31T23:00Z', 3), { provisional: true })
    await h.catalog.hot.save(BTC_1M, hotBars('2024-01-31T23:01Z', 1, 7), 'closed')
    const [first, , last] = hotBars('2024-01-31T23:00Z', 3)
    const want = candles([first!], hotBars('2024-01-31T23:01Z', 1, 7), [last!])
    expect(await h.repository.getByDateRange(YEAR)).to.deep.equal(want)
  })

  it('the newest rows are asked for hot first, and of months only as far as they may be newer', async () => {
    await h.publish(BTC_1M, '2024-01', hotBars('2024-01-31T23:50Z', 10))
    await h.publish(BTC_1M, '2024-02', hotBars('2024-02-01T00:00Z', 5))
    await h.catalog.hot.save(BTC_1M, hotBars('2024-02-01T00:03Z', 4, 7), 'closed')
    const all = candles(hotBars('2024-01-31T23:50Z', 15), hotBars('2024-02-01T00:05Z', 2, 7))
    for (const limit of [1, 3, 4, 8, 17, 30]) {
      expect(await h.repository.getLatest(BTC_1M, limit), String(limit)).to.deep.equal(all.slice(-limit))
    }
    await h.lake.delete({ ...BTC_1M, month: '2024-01' })
    expect(await h.repository.getLatest(BTC_1M, 7), 'without a look into January').to.deep.equal(all.slice(-7))
  })

  it('knows days and rows of both sides, and deletes only what no month holds', async () => {
    await h.publish(BTC_1M, '2024-01', [hotBar(usAt('2024-01-30')), hotBar(usAt('2024-01-31'))])
    await h.repository.save(BTC_1M, candles([hotBar(usAt('2024-01-31T12:00Z')), hotBar(usAt('2024-02-02'))]))
    expect(await h.repository.getAvailableDates(BTC_1M)).to.deep.equal(['2024-01-30', '2024-01-31', '2024-02-02'])
    expect(await h.repository.exists(at('2024-01-30', '2024-01-31'))).to.equal(true)
    expect(await h.repository.exists(at('2024-02-02', '2024-02-03'))).to.equal(true)
    expect(await h.repository.exists(at('2024-02-01', '2024-02-02'))).to.equal(false)
    const over = at('2024-01-31', '2024-03-01')
    const refusal = await failingWith('PARTITION_PUBLISHED', () => h.repository.deleteByDateRange(over))
    expect(refusal.at).to.equal('spot-klines/BTCUSDT/1m/2024-01')
    expect(await h.repository.deleteByDateRange(at('2024-01-31T00:01Z', '2024-03-01'))).to.equal(2)
    expect(await h.repository.getByDateRange(YEAR)).to.have.length(2)
  })

  it('a month that is done again shows its published object all the while', async () => {
    await h.publish(BTC_1M, '2024-01', hotBars('2024-01-31T23:00Z', 3))
    await h.publish(BTC_1M, '2024-01', hotBars('2024-01-31T23:00Z', 4, 1))
    expect(await h.repository.getByDateRange(YEAR)).to.deep.equal(candles(hotBars('2024-01-31T23:00Z', 4, 1)))
  })
})

describe('hybrid repository of a decimal lake', () => {
  it('gives both sides in one form, to the last digit', async () => {
    const h = await openHybrid({ numericType: 'decimal' })
    try {
      const amounts = { volume: '123456789012345678.5', quoteVolume: '0.1' }
      const [a, b] = hotBars('2024-01-31T23:59Z', 2).map((row) => ({ ...row, ...amounts }))
      await h.publish(BTC_1M, '2024-01', [a!])
      await h.catalog.hot.save(BTC_1M, [b!], 'closed')
      const rows = await h.repository.getByDateRange(YEAR)
      const wanted = ['123456789012345678.50000000', '0.10000000']
      expect(rows.map(({ volume, quoteVolume }) => [volume, quoteVolume])).to.deep.equal([wanted, wanted])
      await failingWith('CORRUPT', () => h.repository.save(BTC_1M, [{ ...rows[0]!, close: '1.123456789' }]))
      const exact = { ...rows[0]!, openTimeUs: usAt('2024-03-01'), close: '1.12345678' }
      expect(await h.repository.save(BTC_1M, [exact])).to.equal(1)
    } finally {
      await h.close()
    }
  })
})

describe('hybrid repository over a bucket', () => {
  it('asks again while an object is newer than the catalog, and gives up when it stays so', async () => {
    const h = await openHybrid({ s3: true })
    try {
      const january = { ...BTC_1M, month: '2024-01' }
      const [before, after] = [hotBars('2024-01-31T23:00Z', 3), hotBars('2024-01-31T23:00Z', 4)]
      await h.publish(BTC_1M, '2024-01', before)
      await h.lake.write(january, batchOf(after.map(candleReader<unknown>('double'))))
      await failingWith('PRECONDITION_FAILED', () => h.repository.getByDateRange(YEAR))
      const reading = h.repository.getByDateRange(YEAR)
      await new Promise((resolve) => setTimeout(resolve, 300))
      const { etag, bytes } = (await h.lake.object(january)) ?? {}
      await h.catalog.pool.query('update partitions set published_etag = $1, published_bytes = $2', [etag, bytes])
      expect(await reading).to.deep.equal(after.map(candleReader<unknown>('double')))
    } finally {
      await h.close()
    }
  })
})
