import { expect } from 'chai'
import fc from 'fast-check'
import { dailyKeyOf, monthlyKeyOf, parseArchiveKey } from '../../../src/domain/archive-names.js'
import { DATASETS } from '../../../src/domain/dataset.js'
import { PipelineError } from '../../../src/domain/errors.js'
import { INTERVALS } from '../../../src/domain/interval.js'
import {
  MARKER, certificateKeyOf, incomingKeyOf, objectKeyOf, parseLakeKey, parseStagingKey, partitionOfKey, revisionKeyOf, stagingFolderOf,
} from '../../../src/domain/names.js'
import { parsePartitionKey, partitionKeyOf, type Partition } from '../../../src/domain/partition.js'
import { parseSymbol } from '../../../src/domain/symbol.js'

const anyPartition: fc.Arbitrary<Partition> = fc.record({
  dataset: fc.constantFrom(...DATASETS),
  symbol: fc.constantFrom('BTCUSDT', '1000SHIBUSDT', 'BTCUSDT_240329', 'BTCUSD_PERP', '币安人生USDT', '0GUSDT', 'A-B'),
  interval: fc.constantFrom(...INTERVALS),
  month: fc.constantFrom('2017-08', '2020-12', '2024-01', '2025-01'),
})

const codeOf = (act: () => unknown): string => {
  try {
    act()
    return 'nothing was thrown'
  } catch (thrown) {
    return thrown instanceof PipelineError ? thrown.code : String(thrown)
  }
}

describe('names', () => {
  it('every key that is built is parsed back to what it names', () => {
    fc.assert(
      fc.property(anyPartition, fc.integer({ min: 1, max: 9_999 }), (p, generation) => {
        expect(partitionOfKey(objectKeyOf(p))).to.deep.equal(p)
        expect(parseLakeKey(certificateKeyOf(p))).to.deep.equal({ kind: 'certificate', partition: p })
        const token = 'k3x9'
        expect(parseLakeKey(incomingKeyOf(p, generation, token))).to.deep.equal({ kind: 'incoming', partition: p, generation, token })
        const revision = 'ab'.repeat(32)
        expect(parseLakeKey(revisionKeyOf(p, revision))).to.deep.equal({ kind: 'revision', partition: p, revision: 'ab'.repeat(8) })
        expect(parseStagingKey(`${stagingFolderOf(p, generation, token)}/x.zip`)).to.deep.equal({ partition: p, generation, token })
        expect(parsePartitionKey(partitionKeyOf(p))).to.deep.equal(p)
      }),
    )
  })

  it('archive keys are parsed back, with months that are not padded', () => {
    fc.assert(
      fc.property(anyPartition, (p) => {
        expect(parseArchiveKey(monthlyKeyOf(p))).to.deep.include({ month: p.month, day: null })
        expect(parseArchiveKey(dailyKeyOf(p, `${p.month}-05`))?.day).to.equal(`${p.month}-05`)
        expect(parseArchiveKey(monthlyKeyOf(p))?.series).to.deep.equal({ dataset: p.dataset, symbol: p.symbol, interval: p.interval })
      }),
    )
    const odd = parseArchiveKey('data/spot/monthly/klines/ADABKRW/1d/ADABKRW-1d-2020-8.zip')
    expect(odd?.month).to.equal('2020-08')
  })

  it('spot, um and cm keys of one file name differ', () => {
    const keys = DATASETS.map((dataset) => monthlyKeyOf({ dataset, symbol: 'BTCUSDT', interval: '1m', month: '2025-01' }))
    expect(new Set(keys).size).to.equal(3)
  })

  it('the marker is the lake\'s own, and only at its top', () => {
    expect(parseLakeKey(MARKER)).to.deep.equal({ kind: 'marker' })
    expect(parseLakeKey(`spot-klines/${MARKER}`)).to.equal(null)
    expect(parseStagingKey(MARKER)).to.equal(null)
  })

  it('foreign keys name nothing', () => {
    for (const key of ['', 'x', '../../etc/passwd', 'spot-klines/BTCUSDT/1h/2024-01/data.parquet', 'spot-klines/btcusdt/1h/2024-01/../x',
      'data/spot/monthly/klines/BTCUSDT/1h/ETHUSDT-1h-2024-01.zip']) {
      expect(parseLakeKey(key), key).to.equal(null)
      expect(parseArchiveKey(key), key).to.equal(null)
    }
  })

  it('hostile symbols are refused at the edge', () => {
    const hostile = ['', '../../etc', "BTC'; DROP", '%2e%2e', 'BTC\nUSDT', 'BTC USDT', 'A'.repeat(10_240), 'BTC/USDT', 'BTC:USDT',
      '\u0412\u0422\u0421USDT', 'e\u0301USDT', 'BTC\u0000', 'ſUSDT', 'ＢＴＣUSDT', '.', '..']
    for (const symbol of hostile) expect(codeOf(() => parseSymbol(symbol)), JSON.stringify(symbol)).to.equal('BAD_SYMBOL')
    expect(parseSymbol('btcusdt')).to.equal('BTCUSDT')
    expect(parseSymbol('币安人生usdt')).to.equal('币安人生USDT')
  })
})
