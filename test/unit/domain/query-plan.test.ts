import { expect } from 'chai'
import fc from 'fast-check'
import { addMonths, monthRange } from '../../../src/domain/month.js'
import { objectKeyOf } from '../../../src/domain/names.js'
import { parsePartitionKey } from '../../../src/domain/partition.js'
import { mayHold, planQuery, planScans, unionOf, type LakeObject, type Scan } from '../../../src/domain/query-plan.js'

const object = (name: string, bytes = 100): LakeObject => {
  const partition = parsePartitionKey(name)
  return { partition, key: objectKeyOf(partition), etag: `"${name}"`, bytes }
}

const MONTHS = Array.from({ length: 6 }, (_, n) => addMonths('2024-01', n))
const KNOWN = ['spot-klines', 'um-klines'].flatMap((dataset) =>
  ['BTCUSDT', 'ETHUSDT'].flatMap((symbol) =>
    (['1m', '1h'] as const).flatMap((interval) =>
      MONTHS.map((month) => object(`${dataset}/${symbol}/${interval}/${month}`)),
    ),
  ),
)

const ALL: Scan = {
  dataset: 'spot-klines',
  symbols: null,
  intervals: null,
  range: { fromUs: null, toUs: null },
  columns: null,
}
const names = (scan: Scan): string[] => planQuery(KNOWN, scan).objects.map(({ key }) => key)

describe('the plan of a query', () => {
  it('is the exact objects with their ETags and bytes, in key order', () => {
    const scan: Scan = {
      ...ALL,
      symbols: ['ETHUSDT'],
      intervals: ['1h'],
      range: { fromUs: monthRange('2024-02').fromUs, toUs: monthRange('2024-03').toUs },
    }
    expect(planQuery([...KNOWN].reverse(), scan)).to.deep.equal({
      objects: [object('spot-klines/ETHUSDT/1h/2024-02'), object('spot-klines/ETHUSDT/1h/2024-03')],
      bytes: 200,
      pruned: KNOWN.length - 2,
    })
  })

  it('leaves the end of a range out', () => {
    const one: Scan = { ...ALL, symbols: ['BTCUSDT'], intervals: ['1m'] }
    const { fromUs, toUs } = monthRange('2024-03')
    expect(names({ ...one, range: { fromUs, toUs } })).to.have.length(1)
    expect(names({ ...one, range: { fromUs, toUs: toUs + 1n } })).to.have.length(2)
    expect(names({ ...one, range: { fromUs: fromUs - 1n, toUs } })).to.have.length(2)
  })

  it('takes instants that no month has for open ends', () => {
    const far = 10n ** 20n
    expect(names({ ...ALL, range: { fromUs: -far, toUs: far } })).to.have.length(24)
    expect(names({ ...ALL, range: { fromUs: far, toUs: null } })).to.deep.equal([])
    expect(names({ ...ALL, range: { fromUs: null, toUs: -far } })).to.deep.equal([])
  })

  it('of nothing wanted is empty', () => {
    expect(names({ ...ALL, symbols: [] })).to.deep.equal([])
    expect(planScans(KNOWN, [])).to.deep.include({ objects: [], bytes: 0 })
  })

  const scan = fc.record({
    dataset: fc.constant('spot-klines' as const),
    symbols: fc.option(fc.subarray(['BTCUSDT', 'ETHUSDT', 'XRPUSDT'])),
    intervals: fc.option(fc.subarray(['1m', '1h'] as ('1m' | '1h')[])),
    range: fc
      .tuple(fc.nat(8), fc.nat(8))
      .map(([a, b]) => ({
        fromUs: monthRange(addMonths('2023-12', a)).fromUs,
        toUs: monthRange(addMonths('2023-12', b)).toUs,
      })),
    columns: fc.constant(null),
  })

  it('of several scans is every object that any of them wants, and their union wants no less', () => {
    fc.assert(
      fc.property(scan, scan, (a, b) => {
        const both = planScans(KNOWN, [a, b]).objects.map(({ key }) => key)
        expect(both).to.deep.equal([...new Set([...names(a), ...names(b)])].sort())
        const union = unionOf(a, b)
        for (const { partition } of KNOWN)
          if (mayHold(a, partition) || mayHold(b, partition)) expect(mayHold(union, partition)).to.equal(true)
      }),
    )
  })
})
