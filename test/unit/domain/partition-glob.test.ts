import { expect } from 'chai'
import { PipelineError } from '../../../src/domain/errors.js'
import { filterOf, matchesPartition, parsePartitionGlob } from '../../../src/domain/partition-glob.js'
import { parsePartitionKey } from '../../../src/domain/partition.js'

const matches = (glob: string, key: string): boolean =>
  matchesPartition(parsePartitionGlob(glob), parsePartitionKey(key))

describe('globs of partitions', () => {
  it('take one exact partition', () => {
    expect(matches('spot-klines/btcusdt/1h/2024-01', 'spot-klines/BTCUSDT/1h/2024-01')).to.equal(true)
    expect(matches('spot-klines/btcusdt/1h/2024-01', 'spot-klines/BTCUSDT/1h/2024-02')).to.equal(false)
    expect(matches('spot-klines/btcusdt/1h/2024-01', 'um-klines/BTCUSDT/1h/2024-01')).to.equal(false)
  })

  it('take patterns in every part', () => {
    expect(matches('um-klines/*/1m/2022-0?', 'um-klines/AVAXUSDT/1m/2022-09')).to.equal(true)
    expect(matches('um-klines/*/1m/2022-0?', 'um-klines/AVAXUSDT/1m/2022-10')).to.equal(false)
    expect(matches('*/*/1m/2022-*', 'um-klines/AVAXUSDT/1mo/2022-09')).to.equal(false)
  })

  it('match all that is left out at the end', () => {
    expect(matches('spot-klines/BTC*', 'spot-klines/BTCUSDT/1mo/2020-02')).to.equal(true)
  })

  it('become a filter that lets every match through', () => {
    expect(filterOf(parsePartitionGlob('*'))).to.deep.equal({})
    expect(filterOf(parsePartitionGlob('?m-klines/btcusdt/1?/2024-01'))).to.deep.equal({
      datasets: ['um-klines', 'cm-klines'],
      symbols: ['BTCUSDT'],
      intervals: ['1s', '1m', '1h', '1d', '1w'],
      months: ['2024-01'],
    })
    expect(filterOf(parsePartitionGlob('spot-klines/*USDT/1h/2024-*'))).to.deep.equal({
      datasets: ['spot-klines'], intervals: ['1h'],
    })
  })

  for (const [bad, code] of [
    ['spot-klines/BTCUSDT/1h/2024-01/x', 'BAD_PARTITION'],
    ['spot-klines//1h', 'BAD_PARTITION'],
    ['', 'BAD_PARTITION'],
    ['spot-kline/BTCUSDT', 'BAD_PARTITION'],
    ['spot-klines/*/1hr', 'BAD_PARTITION'],
    ['spot-klines/../1h', 'BAD_SYMBOL'],
    ['spot-klines/*/1h/2024-13', 'BAD_RANGE'],
    ['spot-klines/*/1h/[0-9]*', 'BAD_RANGE'],
  ] as const) {
    it(`refuse "${bad}"`, () => {
      expect(() => parsePartitionGlob(bad))
        .to.throw(PipelineError)
        .with.property('code', code)
    })
  }
})
