import { expect } from 'chai'
import { parseRange } from '../../../src/archive-server/byte-range.js'

describe('parseRange', () => {
  const cases = [
    ['bytes=0-0', 10, { first: 0, last: 0 }],
    ['bytes=2-5', 10, { first: 2, last: 5 }],
    ['bytes=2-', 10, { first: 2, last: 9 }],
    ['bytes=2-99', 10, { first: 2, last: 9 }],
    ['bytes=-3', 10, { first: 7, last: 9 }],
    ['bytes=-99', 10, { first: 0, last: 9 }],
    ['bytes=9-', 10, { first: 9, last: 9 }],
    ['bytes=10-', 10, 'unsatisfiable'],
    ['bytes=-0', 10, 'unsatisfiable'],
    ['bytes=0-', 0, 'unsatisfiable'],
    ['bytes=-5', 0, 'unsatisfiable'],
    ['bytes=5-2', 10, null],
    ['bytes=0-1,4-5', 10, null],
    ['bytes=-', 10, null],
    ['lines=0-1', 10, null],
    [undefined, 10, null],
  ] as const
  for (const [header, size, wanted] of cases) {
    it(`reads ${header ?? 'no header'} of ${size} bytes as ${JSON.stringify(wanted)}`, () => {
      expect(parseRange(header, size)).to.deep.equal(wanted)
    })
  }
})
