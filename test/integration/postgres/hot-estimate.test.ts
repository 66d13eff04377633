import { expect } from 'chai'
import { seriesKeyOf, type Series } from '../../../src/domain/partition.js'
import { until } from '../../support/cli.js'
import { BTC_1M, hotBars, usAt } from '../../support/hot-candles.js'
import { openFresh, type Opened } from './catalog-fixture.js'

const ETH_1M: Series = { ...BTC_1M, symbol: 'ETHUSDT' }
const NEW_1M: Series = { ...BTC_1M, symbol: 'NEWUSDT' }

describe('what is known of hot rows without reading them', () => {
  let catalog: Opened

  beforeEach(async () => {
    catalog = await openFresh()
  })
  afterEach(() => catalog.drop())

  it('days are counted, and rows estimated, also where nothing was ever analysed', async () => {
    expect(await catalog.hot.estimate()).to.deep.equal({ days: 0, rows: 0 })
    await catalog.hot.save(BTC_1M, hotBars('2024-01-01T00:00Z', 4_000), 'closed')
    await catalog.hot.save(ETH_1M, hotBars('2024-01-02T00:00Z', 500), 'closed')
    expect((await catalog.hot.estimate()).days).to.equal(3)
    // Writers hand in what they counted once they are idle.
    await until('the estimate', async () => (await catalog.hot.estimate()).rows === 4_500, 20_000)
    await catalog.pool.query('analyze hot_candles')
    expect(await catalog.hot.estimate()).to.deep.equal({ days: 3, rows: 4_500 })
  })

  it('what was counted outlives a loss of the statistics', async () => {
    await catalog.hot.save(BTC_1M, hotBars('2024-01-01T00:00Z', 100), 'closed')
    await catalog.pool.query('analyze hot_candles')
    await catalog.pool.query('select pg_stat_reset()')
    const { rows: lost } = await catalog.pool.query(
      "select n_live_tup as n from pg_stat_user_tables where relname like 'hot_candles_2%'")
    expect(lost).to.deep.equal([{ n: 0 }])
    expect((await catalog.hot.estimate()).rows).to.equal(100)
  })

  it('the newest closed bar of many series is found at once', async () => {
    await catalog.hot.save(BTC_1M, hotBars('2024-01-01T23:50Z', 20), 'closed')
    await catalog.hot.save(BTC_1M, hotBars('2024-01-02T00:10Z', 1), 'open')
    await catalog.hot.save(ETH_1M, hotBars('2024-01-01T12:00Z', 1), 'archive')
    await catalog.hot.save(NEW_1M, hotBars('2024-01-02T00:10Z', 1), 'open')
    const never: Series = { ...BTC_1M, symbol: 'NEVERUSDT' }
    expect(await catalog.hot.newest([BTC_1M, ETH_1M, NEW_1M, never])).to.deep.equal(new Map([
      [seriesKeyOf(BTC_1M), usAt('2024-01-02T00:09Z')], [seriesKeyOf(ETH_1M), usAt('2024-01-01T12:00Z')],
    ]))
    expect(await catalog.hot.newest([])).to.deep.equal(new Map())
  })
})
