import { expect } from 'chai'
import type { Gap } from '../../../src/domain/certificate.js'
import type { Hole } from '../../../src/domain/figures.js'
import { gapsOf, type GapContext } from '../../../src/domain/gaps.js'
import { OUTAGES } from '../../../src/domain/outages.js'
import { parsePartitionKey } from '../../../src/domain/partition.js'

const us = (iso: string): bigint => BigInt(Date.parse(iso)) * 1_000n
const iso = (at: bigint): string => new Date(Number(at / 1_000n)).toISOString().slice(0, 16)
const hole = (from: string, to: string, missing: number): Hole => ({ fromUs: us(from), toUs: us(to), missing })
const shown = (gap: Gap): string => `${gap.class} ${iso(gap.fromUs)} ${iso(gap.toUs)} ${gap.missing}`
type Context = Partial<GapContext>
const nothing: Context = {}

function gaps(partition: string, first: string, last: string, inner: Hole[], context = nothing): string[] {
  const p = parsePartitionKey(partition)
  return gapsOf(p, { fromUs: us(first), toUs: us(last) }, inner, { bounds: null, seriesOver: false, grid: p.interval, ...context }).map(shown)
}

describe('gaps', () => {
  it('a hole inside a known outage is an outage', () => {
    const inner = [hole('2020-02-19T12:00Z', '2020-02-19T17:00Z', 5)]
    expect(gaps('spot-klines/BTCUSDT/1h/2020-02', '2020-02-01T00:00Z', '2020-02-29T23:00Z', inner)).to.deep.equal([
      'outage 2020-02-19T12:00 2020-02-19T17:00 5',
    ])
  })

  it('a hole that an outage explains in part is split', () => {
    const inner = [hole('2020-02-19T10:00Z', '2020-02-19T19:00Z', 9)]
    expect(gaps('spot-klines/BTCUSDT/1h/2020-02', '2020-02-01T00:00Z', '2020-02-29T23:00Z', inner)).to.deep.equal([
      'unknown 2020-02-19T10:00 2020-02-19T12:00 2', 'outage 2020-02-19T12:00 2020-02-19T17:00 5', 'unknown 2020-02-19T17:00 2020-02-19T19:00 2',
    ])
  })

  it('an outage of spot explains nothing in futures', () => {
    const inner = [hole('2020-02-19T12:00Z', '2020-02-19T17:00Z', 5)]
    expect(gaps('um-klines/BTCUSDT/1h/2020-02', '2020-02-01T00:00Z', '2020-02-29T23:00Z', inner)).to.deep.equal([
      'unknown 2020-02-19T12:00 2020-02-19T17:00 5',
    ])
  })

  it('the first month of a series begins before its listing, another one lacks its start', () => {
    const listed = { bounds: { firstMonth: '2017-08', lastMonth: '2024-12' }, seriesOver: false }
    const args = ['spot-klines/BTCUSDT/1h/2017-08', '2017-08-17T04:00Z', '2017-08-31T23:00Z', []] as const
    expect(gaps(args[0], args[1], args[2], [], listed)).to.deep.equal(['before_listing 2017-08-01T00:00 2017-08-17T04:00 388'])
    expect(gaps(args[0], args[1], args[2], [])).to.deep.equal(['archive_hole 2017-08-01T00:00 2017-08-17T04:00 388'])
  })

  it('the last month of a series that is over ends after its delisting', () => {
    const over = { bounds: { firstMonth: '2019-01', lastMonth: '2022-09' }, seriesOver: true }
    expect(gaps('spot-klines/ETHUSDC/1d/2022-09', '2022-09-01T00:00Z', '2022-09-28T00:00Z', [], over)).to.deep.equal([
      'after_delisting 2022-09-29T00:00 2022-10-01T00:00 2',
    ])
  })

  it('whole days that are missing are a hole of the archive', () => {
    const inner = [hole('2022-08-10T00:00Z', '2022-08-13T00:00Z', 72)]
    expect(gaps('um-klines/BTCUSDT/1h/2022-08', '2022-08-01T00:00Z', '2022-08-31T23:00Z', inner)).to.deep.equal([
      'archive_hole 2022-08-10T00:00 2022-08-13T00:00 72',
    ])
  })

  it('the calendar is in time order and its ids are unique', () => {
    expect(new Set(OUTAGES.map((outage) => outage.id)).size).to.equal(OUTAGES.length)
    for (const [i, outage] of OUTAGES.entries()) {
      expect(outage.fromUs < outage.toUs, outage.id).to.equal(true)
      if (i > 0) expect(outage.fromUs >= (OUTAGES[i - 1]?.toUs ?? 0n), outage.id).to.equal(true)
    }
  })
})
