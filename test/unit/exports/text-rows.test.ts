import { expect } from 'chai'
import fc from 'fast-check'
import type { Candle } from '../../../src/domain/candle-row.js'
import { parsePartitionKey } from '../../../src/domain/partition.js'
import type { TextFormat } from '../../../src/exports/export-format.js'
import { textRows, type SeriesRows } from '../../../src/exports/text-rows.js'
import { canonical } from '../../support/csv-oracle.js'

const series = parsePartitionKey('spot-klines/BTCUSDT/1h/2024-01')

const candle = <N>(value: N, more: Partial<Candle<N>> = {}): Candle<N> => ({
  openTimeUs: 1_704_067_200_000_000n, closeTimeUs: 1_704_070_799_999_000n, trades: 5, open: value, high: value,
  low: value, close: value, volume: value, quoteVolume: value, takerBuyVolume: value, takerBuyQuoteVolume: value, ...more,
})

async function* iterable<T>(...items: T[]): AsyncGenerator<T> {
  for (const item of items) yield await Promise.resolve(item)
}

async function textOf(format: TextFormat, ...batches: (Candle<number>[] | Candle<string>[])[]): Promise<string> {
  const parts = batches.map((batch): SeriesRows => ({ series, batches: iterable(batch) as SeriesRows['batches'] }))
  let text = ''
  for await (const piece of textRows(format, iterable(...parts))) text += piece
  return text
}

describe('candles as text files', () => {
  it('are CSV with the archive\'s columns behind symbol and interval, times in microseconds', async () => {
    const [head, row, ...rest] = (await textOf('csv', [candle('3.00000000', { close: '4.50000000' })])).split('\n')
    expect(head).to.equal('symbol,interval,open_time,open,high,low,close,volume,close_time,quote_volume,count,' +
      'taker_buy_volume,taker_buy_quote_volume')
    expect(row).to.equal('BTCUSDT,1h,1704067200000000,3.00000000,3.00000000,3.00000000,4.50000000,3.00000000,' +
      '1704070799999000,3.00000000,5,3.00000000,3.00000000')
    expect(rest).to.deep.equal([''])
  })

  it('never write an exponent into CSV, and lose no digit of a double', async () => {
    await fc.assert(fc.asyncProperty(fc.double({ noNaN: true, noDefaultInfinity: true, min: 1e-30, max: 1e30 }), async (value) => {
      const cell = (await textOf('csv', [candle(value)])).split('\n')[1]?.split(',')[3] ?? ''
      expect(cell).to.match(/^\d+(\.\d+)?$/)
      expect(Number(cell)).to.equal(value)
      expect(canonical(cell)).to.equal(canonical(String(value)))
    }), { numRuns: 300 })
    for (const [value, text] of [[1e-8, '0.00000001'], [1.5e-7, '0.00000015'], [1e21, '1000000000000000000000'], [0, '0']] as const) {
      expect((await textOf('csv', [candle(value)])).split('\n')[1]?.split(',')[3]).to.equal(text)
    }
  })

  it('are JSON with the lake\'s columns: instants ISO 8601, doubles numbers, decimals text', async () => {
    const rows = JSON.parse(await textOf('json', [candle('1.00000000')], [], [candle(2.5), candle(3)] as never)) as Record<string, unknown>[]
    expect(rows.map((row) => row['open'])).to.deep.equal(['1.00000000', 2.5, 3])
    expect(rows[0]).to.include({
      symbol: 'BTCUSDT', interval: '1h', open_time: '2024-01-01T00:00:00Z', close_time: '2024-01-01T00:59:59.999Z', trades: 5,
    })
    expect(JSON.parse(await textOf('json'))).to.deep.equal([])
    expect(JSON.parse(await textOf('json', []))).to.deep.equal([])
  })

  it('are an object a line', async () => {
    const lines = (await textOf('jsonl', [candle(1)], [candle(2, { closeTimeUs: 1_735_689_599_999_999n })])).trimEnd().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { open: number }).open)).to.deep.equal([1, 2])
    expect(lines[1]).to.include('"close_time":"2024-12-31T23:59:59.999999Z"')
  })
})
