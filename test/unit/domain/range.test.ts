import { expect } from 'chai'
import { PipelineError } from '../../../src/domain/errors.js'
import { monthSpanOf, parseRange } from '../../../src/domain/range.js'

const iso = (us: bigint | null): string | null => (us === null ? null : new Date(Number(us / 1_000n)).toISOString())
const read = (from?: string, to?: string): (string | null)[] => {
  const { fromUs, toUs } = parseRange({ from, to })
  return [iso(fromUs), iso(toUs)]
}
const NOW = Date.parse('2026-11-22T20:31:14Z')

describe('range of --from and --to', () => {
  it('takes months whole, both ends in', () => {
    expect(read('2023-11', '2024-01')).to.deep.equal(['2023-11-01T00:00:00.000Z', '2024-02-01T00:00:00.000Z'])
  })

  it('takes --to 2024-01 and --to 2024-02-01 for the same', () => {
    expect(parseRange({ to: '2024-01' })).to.deep.equal(parseRange({ to: '2024-02-01' }))
  })

  it('reads instants as UTC to the microsecond', () => {
    expect(parseRange({ from: '2024-01-15T10:30:05.000007Z' }).fromUs).to.equal(1_705_314_605_000_007n)
    expect(read('2024-01-15 10:30', '2024-01-15T10:31')).to.deep.equal([
      '2024-01-15T10:30:00.000Z',
      '2024-01-15T10:31:00.000Z',
    ])
  })

  for (const bad of [
    '2024',
    '2024-13',
    '2024-00',
    '2024-02-30',
    '2024-01-01T24:30',
    '2024-01-15T10:30+02:00',
    'yesterday',
    '',
    '0999-01',
    '2024-1',
  ]) {
    it(`refuses "${bad}"`, () => {
      expect(() => parseRange({ from: bad }))
        .to.throw(PipelineError)
        .with.property('code', 'BAD_RANGE')
      expect(() => parseRange({ to: bad }))
        .to.throw(PipelineError)
        .with.property('code', 'BAD_RANGE')
    })
  }

  it('refuses a range that holds nothing', () => {
    expect(() => parseRange({ from: '2024-02', to: '2024-01' })).to.throw(/nothing lies from/)
    expect(() => parseRange({ from: '2024-02-01', to: '2024-01' })).to.throw(/nothing lies from/)
    expect(read('2024-01', '2024-01')).to.deep.equal(['2024-01-01T00:00:00.000Z', '2024-02-01T00:00:00.000Z'])
  })

  it('gives every month that the range touches', () => {
    expect(monthSpanOf(parseRange({ from: '2024-01-15', to: '2024-03-01' }), NOW)).to.deep.equal({
      first: '2024-01',
      last: '2024-02',
    })
    expect(monthSpanOf(parseRange({ from: '2024-01-15', to: '2024-03-01T00:01' }), NOW)).to.deep.equal({
      first: '2024-01',
      last: '2024-03',
    })
  })

  it('ends with the last month that is over', () => {
    expect(monthSpanOf(parseRange({}), NOW)).to.deep.equal({ first: null, last: '2026-10' })
    expect(monthSpanOf(parseRange({ from: '2026-09', to: '2027-06' }), NOW)).to.deep.equal({
      first: '2026-09',
      last: '2026-10',
    })
    expect(() => monthSpanOf(parseRange({ from: '2026-11' }), NOW)).to.throw(/2026-11 is not over yet/)
  })
})
