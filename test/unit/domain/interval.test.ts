import { expect } from 'chai'
import fc from 'fast-check'
import { floorToGrid, gridPointsIn, INTERVALS, nextOnGrid } from '../../../src/domain/interval.js'
import { addMonths, monthOfUs, monthRange, monthsBetween, monthsFromTo } from '../../../src/domain/month.js'

const us = (iso: string): bigint => BigInt(Date.parse(iso)) * 1_000n
const iso = (at: bigint): string => new Date(Number(at / 1_000n)).toISOString()

describe('months', () => {
  it('are half-open UTC ranges that touch', () => {
    expect(iso(monthRange('2024-02').fromUs)).to.equal('2024-02-01T00:00:00.000Z')
    expect(iso(monthRange('2024-02').toUs)).to.equal('2024-03-01T00:00:00.000Z')
    expect(monthRange('2024-12').toUs).to.equal(monthRange('2025-01').fromUs)
    expect(monthOfUs(monthRange('2024-02').toUs - 1n)).to.equal('2024-02')
  })

  it('count over year ends, both ends in', () => {
    expect([...monthsFromTo('2023-11', '2024-02')]).to.deep.equal(['2023-11', '2023-12', '2024-01', '2024-02'])
    expect([...monthsFromTo('2024-02', '2024-01')]).to.deep.equal([])
    expect(addMonths('2024-01', -1)).to.equal('2023-12')
    expect(monthsBetween('2023-11', '2024-02')).to.equal(3)
  })
})

describe('grids', () => {
  it('weeks open on Monday 00:00 UTC', () => {
    expect(iso(floorToGrid('1w', us('2024-01-04T12:00:00Z')))).to.equal('2024-01-01T00:00:00.000Z')
    expect(iso(floorToGrid('1w', us('2023-12-31T23:59:59Z')))).to.equal('2023-12-25T00:00:00.000Z')
  })

  it('three-day bars open where real BTCUSDT files have them', () => {
    for (const day of ['2017-08-17', '2026-07-01']) expect(iso(floorToGrid('3d', us(`${day}T12:00:00Z`)))).to.equal(`${day}T00:00:00.000Z`)
  })

  it('months open on the 1st', () => {
    expect(iso(nextOnGrid('1mo', us('2024-01-01T00:00:00Z')))).to.equal('2024-02-01T00:00:00.000Z')
    expect(gridPointsIn('1mo', monthRange('2024-02'))).to.deep.equal({ firstUs: us('2024-02-01T00:00:00Z'), count: 1 })
  })

  it('a leap February has room for 41,760 minutes', () => {
    expect(gridPointsIn('1m', monthRange('2024-02')).count).to.equal(41_760)
    expect(gridPointsIn('1m', monthRange('2023-02')).count).to.equal(40_320)
    expect(gridPointsIn('1w', monthRange('2024-02'))).to.deep.equal({ firstUs: us('2024-02-05T00:00:00Z'), count: 4 })
  })

  it('the points of two neighbouring ranges are those of both together', () => {
    const instant = fc.bigInt({ min: us('2017-01-01T00:00:00Z'), max: us('2026-01-01T00:00:00Z') })
    const coarse = INTERVALS.filter((interval) => interval !== '1s')
    fc.assert(
      fc.property(fc.constantFrom(...coarse), fc.tuple(instant, instant, instant), (interval, ends) => {
        const [a, b, c] = [...ends].sort((x, y) => (x < y ? -1 : 1)) as [bigint, bigint, bigint]
        const count = (fromUs: bigint, toUs: bigint): number => gridPointsIn(interval, { fromUs, toUs }).count
        expect(count(a, b) + count(b, c)).to.equal(count(a, c))
        expect(floorToGrid(interval, a) <= a && nextOnGrid(interval, floorToGrid(interval, a)) > a).to.equal(true)
      }),
    )
  })
})
