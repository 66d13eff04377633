import { expect } from 'chai'
import { aggregateBars, csvRowOf, type SyntheticBar } from '../../../src/archive-server/synthetic-bar.js'
import { syntheticCandles } from '../../../src/archive-server/synthetic-candles.js'

const DAY = { seed: 1, fromMs: Date.UTC(2025, 0, 1), toMs: Date.UTC(2025, 0, 2), stepMs: 60_000 }

describe('syntheticCandles', () => {
  it('gives the same rows for the same seed, however often they are read, and others for another', () => {
    const source = syntheticCandles(DAY)
    expect([...source]).to.deep.equal([...source]).and.deep.equal([...syntheticCandles(DAY)])
    expect([...syntheticCandles({ ...DAY, seed: 2 })]).not.to.deep.equal([...source])
  })

  it('gives one bar a step from fromMs up to, not at, toMs', () => {
    const bars = [...syntheticCandles(DAY).bars()]
    expect(bars).to.have.lengthOf(1440)
    expect([bars[0]?.fromMs, bars.at(-1)?.toMs]).to.deep.equal([DAY.fromMs, DAY.toMs])
  })

  for (const stepMs of [60_000, 3_600_000, 86_400_000]) {
    it(`keeps every bar of ${stepMs / 60_000} minutes consistent and its sums exact`, () => {
      const bars = [...syntheticCandles({ ...DAY, toMs: DAY.fromMs + 300 * stepMs, stepMs }).bars()]
      for (const bar of bars) {
        const numbers = Object.values(bar)
        expect(numbers.every((n) => Number.isSafeInteger(n) && n >= 0), JSON.stringify(bar)).to.equal(true)
        expect(bar.low).to.be.at.most(Math.min(bar.open, bar.close)).and.greaterThan(0)
        expect(bar.high).to.be.at.least(Math.max(bar.open, bar.close))
        expect(bar.quoteVolume).to.be.within(bar.low * bar.volume, bar.high * bar.volume)
        expect(bar.takerVolume).to.be.at.most(bar.volume)
        expect(bar.takerQuoteVolume).to.be.at.most(bar.quoteVolume)
        expect(bar.trades).to.be.at.least(1)
      }
      expect(bars.slice(1).every((bar, at) => bar.open === bars[at]?.close)).to.equal(true)
    })
  }

  it('prints milliseconds or microseconds, and at least the decimals asked for', () => {
    const bar: SyntheticBar = {
      fromMs: DAY.fromMs, toMs: DAY.fromMs + 60_000, open: 9_600_000, high: 9_600_123, low: 5, close: 9_600_001,
      volume: 7, quoteVolume: 41, trades: 3, takerVolume: 0, takerQuoteVolume: 1_234_567_890_123_456,
    }
    expect(csvRowOf(bar, { unit: 'us', decimals: 8 })).to.equal(
      '1735689600000000,96000.00000000,96001.23000000,0.05000000,96000.01000000,0.00007000,1735689659999999,' +
      '0.00000410,3,0.00000000,123456789.01234560,0')
    expect(csvRowOf(bar, { unit: 'ms', decimals: 0 })).to.equal(
      '1735689600000,96000.00,96001.23,0.05,96000.01,0.00007,1735689659999,0.0000041,3,0.00000,123456789.0123456,0')
  })
})

describe('aggregateBars', () => {
  it('folds minutes into hours whose sums and extremes are the minutes\' own, and leaves a gap a gap', () => {
    const outsideGap = (bar: SyntheticBar): boolean =>
      bar.fromMs < DAY.fromMs + 3_600_000 || bar.fromMs >= DAY.fromMs + 7_200_000
    const minutes = [...syntheticCandles(DAY).bars()].filter(outsideGap)
    const hours = [...aggregateBars(minutes, 3_600_000)]
    expect(hours).to.have.lengthOf(23)
    for (const hour of hours) {
      const own = minutes.filter((bar) => bar.fromMs >= hour.fromMs && bar.fromMs < hour.toMs)
      const total = (of: (bar: SyntheticBar) => number): number => own.reduce((sum, bar) => sum + of(bar), 0)
      expect(hour).to.deep.equal({
        fromMs: own[0]?.fromMs, toMs: (own[0]?.fromMs ?? 0) + 3_600_000, open: own[0]?.open, close: own.at(-1)?.close,
        high: Math.max(...own.map((bar) => bar.high)), low: Math.min(...own.map((bar) => bar.low)),
        volume: total((b) => b.volume), quoteVolume: total((b) => b.quoteVolume), trades: total((b) => b.trades),
        takerVolume: total((b) => b.takerVolume), takerQuoteVolume: total((b) => b.takerQuoteVolume),
      })
    }
  })
})
