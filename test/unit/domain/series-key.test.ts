import { expect } from 'chai'
import { PipelineError } from '../../../src/domain/errors.js'
import { parseSeriesKey, seriesKeyOf } from '../../../src/domain/partition.js'

describe('keys of series', () => {
  it('are read as they are written', () => {
    const series = { dataset: 'spot-klines', symbol: 'BTCUSDT', interval: '1h' } as const
    expect(parseSeriesKey(seriesKeyOf(series))).to.deep.equal(series)
  })

  for (const [text, code] of [
    ['', 'BAD_PARTITION'], ['spot-klines/BTCUSDT', 'BAD_PARTITION'], ['spot-klines//1h', 'BAD_PARTITION'],
    ['spot-klines/BTCUSDT/1h/2024-01', 'BAD_PARTITION'], ['spot-kline/BTCUSDT/1h', 'BAD_MARKET'],
    ['spot-klines/BTC USDT/1h', 'BAD_SYMBOL'], ['spot-klines/BTCUSDT/7h', 'BAD_INTERVAL'],
  ] as const) {
    it(`are not "${text}"`, () => {
      expect(() => parseSeriesKey(text)).to.throw(PipelineError).with.property('code', code)
    })
  }
})
