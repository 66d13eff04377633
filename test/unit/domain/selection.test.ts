import { expect } from 'chai'
import { PipelineError } from '../../../src/domain/errors.js'
import { isSelected, matchesGlob, needsListing, parseSelection, selectedNames } from '../../../src/domain/selection.js'

const LISTED = ['BTCUSDT', 'BTCDOWNUSDT', 'ETHUSDT', 'ETHBTC', 'BTCUSDT_240329', '币安人生USDT']
const select = (...words: string[]): string[] => LISTED.filter((symbol) => isSelected(parseSelection(words), symbol))

describe('selection of symbols', () => {
  it('takes names in any case, in lists or one by one', () => {
    expect(parseSelection(['btcusdt,EthUsdt', '币安人生usdt']).names).to.deep.equal(['BTCUSDT', 'ETHUSDT', '币安人生USDT'])
    expect(needsListing(parseSelection(['BTCUSDT']))).to.equal(false)
  })

  it('takes globs over the whole name', () => {
    expect(select('*USDT')).to.deep.equal(['BTCUSDT', 'BTCDOWNUSDT', 'ETHUSDT', '币安人生USDT'])
    expect(select('ETH???')).to.deep.equal(['ETHBTC'])
    expect(select('????USDT')).to.deep.equal(['币安人生USDT'])
    expect(needsListing(parseSelection(['*USDT']))).to.equal(true)
  })

  it('lets an exclusion win, wherever it stands', () => {
    expect(select('!*DOWNUSDT', '*USDT', 'BTCDOWNUSDT')).to.deep.equal(['BTCUSDT', 'ETHUSDT', '币安人生USDT'])
    expect(selectedNames(parseSelection(['BTCUSDT,ETHUSDT,!eth*']))).to.deep.equal(['BTCUSDT'])
  })

  it('takes all, and all but the exclusions where nothing else is named', () => {
    expect(select('ALL')).to.deep.equal(LISTED)
    expect(select('!*USDT*')).to.deep.equal(['ETHBTC'])
  })

  it('names each symbol once', () => {
    expect(parseSelection(['BTCUSDT,btcusdt', 'BTCUSDT']).names).to.deep.equal(['BTCUSDT'])
  })

  for (const hostile of [
    '../../etc',
    "BTC'; DROP",
    'A'.repeat(10_000),
    'ВТСUSDT',
    '*/../x',
    'BTC.USDT',
    '!',
    '*\u0000',
    '[A-Z]*',
    'BTC%2F*',
  ]) {
    it(`refuses ${JSON.stringify(hostile.slice(0, 20))}`, () => {
      expect(() => parseSelection([hostile]))
        .to.throw(PipelineError)
        .with.property('code', 'BAD_SYMBOL')
    })
  }

  it('asks for a symbol where there is none', () => {
    expect(() => parseSelection([' , '])).to.throw(PipelineError).with.property('code', 'BAD_USAGE')
  })

  it('matches a glob of many stars in no time', () => {
    const started = performance.now()
    expect(matchesGlob(`${'*A'.repeat(30)}B`, 'A'.repeat(10_000))).to.equal(false)
    expect(performance.now() - started).to.be.below(1_000)
  })

  for (const [glob, name, matches] of [
    ['*', '', true],
    ['?', '', false],
    ['**', 'X', true],
    ['A*', 'A', true],
    ['A*B*', 'AXXBX', true],
    ['*B', 'ABAB', true],
    ['A?', 'A', false],
    ['A', 'AB', false],
    ['', '', true],
  ] as const) {
    it(`${matches ? 'matches' : 'does not match'} "${name}" with "${glob}"`, () => {
      expect(matchesGlob(glob, name)).to.equal(matches)
    })
  }
})
