import { expect } from 'chai'
import fc from 'fast-check'
import { parsePartitionKey } from '../../../src/domain/partition.js'
import { monthRange } from '../../../src/domain/month.js'
import { candleBatches, decimalAt } from '../../../src/sources/candle-batches.js'
import { emptyRows, setBigInteger } from '../../../src/sources/candle-rows.js'
import { CsvSource } from '../../../src/sources/csv-source.js'
import { FindingsLog } from '../../../src/sources/findings-log.js'
import { csvOf, hourLines } from '../../support/engine-harness.js'

const range = monthRange(parsePartitionKey('spot-klines/BTCUSDT/1h/2024-01').month)

describe('candles as text', () => {
  it('give every decimal of a column as digits, to the last one', () => {
    const rows = emptyRows('decimal', 1)
    const [price, amount] = [rows.columns[1]!, rows.columns[5]!]
    const numbers = (digits: bigint) => fc.oneof(fc.bigInt(0n, digits), fc.bigInt(0n, 2n ** 54n), fc.bigInt(0n, 10n ** 10n))
    const text = (scaled: bigint): string => String(scaled).padStart(9, '0').replace(/(.{8})$/, '.$1')
    fc.assert(fc.property(numbers(10n ** 18n - 1n), numbers(10n ** 38n - 1n), (small, large) => {
      setBigInteger(price, 0, small)
      setBigInteger(amount, 0, large)
      expect(decimalAt(price, 0)).to.equal(text(small))
      expect(decimalAt(amount, 0)).to.equal(text(large))
    }), { numRuns: 2_000 })
    setBigInteger(price, 0, 10n ** 8n)
    expect(decimalAt(price, 0)).to.equal('1.00000000')
  })

  it('come in batches that leave nothing out and hold nothing outside the range', () => {
    const rows = emptyRows('decimal', 100)
    const csv = new CsvSource({ rows, log: new FindingsLog(), name: 'x', range, maxRows: 10_000 })
    csv.push(csvOf(hourLines(744)))
    csv.end()
    const times = (fromUs: bigint, toUs: bigint): bigint[] =>
      [...candleBatches(rows, { fromUs, toUs })].flat().map((candle) => candle.openTimeUs)
    expect(times(range.fromUs, range.toUs)).to.have.length(744)
    const hour = 3_600_000_000n
    expect(times(range.fromUs + hour, range.fromUs + 3n * hour)).to.deep.equal([range.fromUs + hour, range.fromUs + 2n * hour])
    expect(times(range.toUs, range.toUs + hour)).to.deep.equal([])
  })
})
