import { expect } from 'chai'
import { INTERVALS } from '../../../src/domain/interval.js'
import { nearestTo } from '../../../src/domain/nearest.js'

describe('the nearest word', () => {
  for (const [typed, want] of [
    ['1hr', '1h'],
    ['1H', '1h'],
    ['15min', '15m'],
    ['1month', '1mo'],
    ['1w', '1w'],
    ['fortnight', null],
    ['7y', null],
  ] as const) {
    it(`for the interval ${typed} is ${want}`, () => expect(nearestTo(typed, INTERVALS)).to.equal(want))
  }
  for (const [typed, want] of [
    ['bakcfill', 'backfill'],
    ['statsu', 'status'],
    ['workers', 'worker'],
    ['query', null],
    ['', null],
  ] as const) {
    it(`for the command "${typed}" is ${want}`, () =>
      expect(nearestTo(typed, ['backfill', 'status', 'worker', 'server', 'doctor'])).to.equal(want))
  }
})
