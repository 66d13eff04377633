import { expect } from 'chai'
import { shownAge, shownBytes, shownCount, shownInstant, shownRequest } from '../../../src/server/shown.js'

describe('figures as people read them', () => {
  it('counts have commas', () => {
    expect([0, 999, 1_000, 7_871_114].map(shownCount)).to.deep.equal(['0', '999', '1,000', '7,871,114'])
  })

  it('bytes are in powers of 1024', () => {
    const given = [0, 1_023, 1_024, 1_536, 10 * 1_024 ** 2, 1_023.6 * 1_024 ** 2, 5 * 1_024 ** 6]
    const shown = ['0 B', '1,023 B', '1.0 KiB', '1.5 KiB', '10 MiB', '1,024 MiB', '5,120 PiB']
    expect(given.map(shownBytes)).to.deep.equal(shown)
  })

  it('ages are in one unit and never negative', () => {
    const now = new Date('2026-01-10T00:00:00Z')
    const before = (seconds: number): Date => new Date(now.getTime() - seconds * 1_000)
    expect([-5, 0, 59, 60, 3_599, 3_600, 86_399, 200_000].map((seconds) => shownAge(before(seconds), now)))
      .to.deep.equal(['0 s', '0 s', '59 s', '1 min', '59 min', '1 h', '23 h', '2 d'])
  })

  it('instants are in UTC', () => {
    expect(shownInstant(new Date('2026-11-22T23:59:59.999+00:00'))).to.equal('2026-11-22 23:59:59')
  })

  it('a request is one line of bounded length', () => {
    expect(shownRequest({ market: 'spot', symbols: ['A', 'B'], from: null, empty: [], force: false }))
      .to.equal('market spot · symbols A,B · force false')
    expect(shownRequest({ symbols: Array.from({ length: 999 }, (_, i) => `S${i}`) })).to.have.lengthOf(160)
  })
})
