import { expect } from 'chai'
import { scansOf } from '../../../../src/adapters/query/scan-plan.js'
import type { Scan } from '../../../../src/domain/query-plan.js'

/** A plan with one scan, as DuckDB explains it. */
function scanWith(filters: string | readonly string[], projections: string | readonly string[] = ['close']): Scan {
  const scan = {
    name: 'SEQ_SCAN',
    children: [],
    extra_info: { Table: 'temp.main.spot_klines', Projections: projections, Filters: filters },
  }
  const [one, ...more] = scansOf(JSON.stringify([{ name: 'PROJECTION', children: [scan], extra_info: {} }]))
  expect(more).to.deep.equal([])
  return one!
}

const at = (text: string): bigint => BigInt(Date.parse(text)) * 1_000n
const time = (op: string, text: string): string => `open_time${op}'${text}+00'::TIMESTAMP WITH TIME ZONE`

describe('what DuckDB says a question reads', () => {
  it('is columns, of filters too, and always open_time', () => {
    expect(scanWith(`volume>3.0`, ['close', 'high']).columns).to.deep.equal(['open_time', 'high', 'close', 'volume'])
    expect(scanWith(`(lower(symbol) = 'btcusdt')`, '').columns).to.deep.equal(['symbol', 'open_time'])
  })

  it('is symbols and intervals that conditions leave', () => {
    expect(scanWith([`symbol='BTCUSDT'`, `interval='1m'`])).to.deep.include({
      symbols: ['BTCUSDT'],
      intervals: ['1m'],
    })
    expect(scanWith(`optional: symbol IN ('A', 'B')`).symbols).to.deep.equal(['A', 'B'])
    expect(scanWith(`optional: symbol='A' OR symbol='B'`).symbols).to.deep.equal(['A', 'B'])
    expect(scanWith([`symbol='A'`, `symbol IN ('A', 'B')`]).symbols).to.deep.equal(['A'])
    expect(scanWith(`interval='1hr'`).intervals).to.deep.equal([])
    expect(scanWith(`symbol='币安人生USDT'`).symbols).to.deep.equal(['币安人生USDT'])
  })

  it('is the range of times, its end left out', () => {
    const from = time('>=', '2024-01-03 00:00:00')
    expect(scanWith(`${from} AND ${time('<', '2024-02-01 12:00:00.5')}`).range).to.deep.equal({
      fromUs: at('2024-01-03'),
      toUs: at('2024-02-01T12:00:00.500Z'),
    })
    expect(
      scanWith(`${time('>', '2024-01-03 00:00:00')} AND ${time('<=', '2024-02-01 00:00:00')}`).range,
    ).to.deep.equal({ fromUs: at('2024-01-03') + 1n, toUs: at('2024-02-01') + 1n })
    expect(scanWith(time('=', '2024-01-03 00:00:00')).range).to.deep.equal({
      fromUs: at('2024-01-03'),
      toUs: at('2024-01-03') + 1n,
    })
    expect(scanWith([from, time('>=', '2024-01-05 00:00:00')]).range.fromUs).to.equal(at('2024-01-05'))
  })

  const open: readonly string[] = [
    `symbol='A' OR interval='1m'`,
    `symbol='A' OR symbol>'B'`,
    `symbol='A' OR symbol='B' AND symbol='C'`,
    `symbol='a'' OR symbol=''b'`,
    `symbol='x' AND lower(symbol)='y' OR 1=1`,
    `NOT symbol='A'`,
    `symbol!='A'`,
    `symbol>='A'`,
    `optional: Dynamic Filter (symbol)`,
    `symbol='it''s'`,
    `symbol IN ('a, b')`,
    `symbol IN ('A', lower('B'))`,
    `(symbol = 'A')`,
    `close='A'`,
    `${time('>=', '2024-01-03 00:00:00')} OR ${time('<', '2023-01-01 00:00:00')}`,
    time('>=', '0044-03-15 (BC) 00:00:00'),
    `open_time>='infinity'::TIMESTAMP WITH TIME ZONE`,
    `open_time IS NOT NULL`,
    `${time('>=', '2024-01-03 00:00:00')} OR symbol='A' AND symbol='B'`,
  ]
  for (const filter of open) {
    it(`is not narrowed by ${filter.slice(0, 90)}`, () => {
      expect(scanWith(filter)).to.deep.include({
        symbols: null,
        intervals: null,
        range: { fromUs: null, toUs: null },
      })
    })
  }

  it('is each scan by itself, and none of other tables', () => {
    const scan = (table: string, filters: string) => ({
      children: [],
      extra_info: { Table: table, Projections: 'close', Filters: filters },
    })
    const scans = scansOf(
      JSON.stringify([
        {
          children: [
            scan('temp.main.um_klines', `symbol='A'`),
            scan('temp.main.spot_klines', ''),
            scan('temp.main.other', ''),
          ],
        },
      ]),
    )
    expect(scans.map(({ dataset, symbols }) => [dataset, symbols]).sort()).to.deep.equal([
      ['spot-klines', null],
      ['um-klines', ['A']],
    ])
  })
})
