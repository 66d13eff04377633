import { expect } from 'chai'
import fc from 'fast-check'
import { CANDLE_COLUMNS } from '../../src/domain/candle.js'
import type { Series } from '../../src/domain/partition.js'
import type { MarketDataRepository } from '../../src/domain/ports/market-data-repository.js'
import { sliceOf } from '../../src/domain/slice.js'
import type { Candle } from '../../src/lake/candle.js'
import { failingWith } from '../support/failing-with.js'

/** A way to keep candles: opens an empty repository. */
export type RepositoryHarness = {
  readonly name: string
  readonly open: () => Promise<{
    readonly repository: MarketDataRepository<Candle>
    readonly close: () => Promise<void>
  }>
}

const BTC: Series = { dataset: 'spot-klines', symbol: 'BTCUSDT', interval: '1h' }
const HOUR_US = 3_600_000_000n
const at = (text: string): bigint => BigInt(Date.parse(text)) * 1_000n

/** A bar whose values follow from its time and a number that tells versions of it apart. */
function bar(openTimeUs: bigint, version = 0): Candle {
  const base = Number((openTimeUs / HOUR_US) % 1_000n) + version / 8
  return {
    openTimeUs,
    closeTimeUs: openTimeUs + HOUR_US - 1_000n,
    trades: 7 + version,
    open: base + 100,
    high: base + 110,
    low: base + 90,
    close: base + 105,
    volume: base / 4,
    quoteVolume: base * 100,
    takerBuyVolume: base / 8,
    takerBuyQuoteVolume: base * 50,
  }
}

const bars = (from: string, count: number, version = 0): Candle[] =>
  Array.from({ length: count }, (_, n) => bar(at(from) + BigInt(n) * HOUR_US, version))

/** What every implementation of the port keeps. */
export function marketDataRepositoryContract({ name, open }: RepositoryHarness): void {
  describe(`${name}: MarketDataRepository contract`, () => {
    let repository: MarketDataRepository<Candle>
    let close: () => Promise<void>

    beforeEach(async () => {
      ;({ repository, close } = await open())
    })

    afterEach(() => close())

    const slice = (from: string, to: string, s: Series = BTC) => sliceOf(s, at(from), at(to))
    const all = () => repository.getByDateRange(slice('2020-01-01', '2030-01-01'))

    it('an empty one has nothing', async () => {
      expect(await all()).to.deep.equal([])
      expect(await repository.getLatest(BTC, 5)).to.deep.equal([])
      expect(await repository.exists(slice('2020-01-01', '2030-01-01'))).to.equal(false)
      expect(await repository.getAvailableDates(BTC)).to.deep.equal([])
      expect(await repository.deleteByDateRange(slice('2020-01-01', '2030-01-01'))).to.equal(0)
    })

    it('gives back what was saved, every field, in time order, whatever order it came in', async () => {
      const rows = bars('2024-01-30T00:00Z', 72)
      expect(await repository.save(BTC, [...rows].reverse())).to.equal(72)
      expect(await all()).to.deep.equal(rows)
      const fields = Object.keys((await all())[0] ?? {})
      expect(fields).to.have.length(CANDLE_COLUMNS.length - 2)
    })

    it('takes the beginning of a range and leaves its end out, over the end of a month', async () => {
      const rows = bars('2024-01-31T20:00Z', 8)
      await repository.save(BTC, rows)
      expect(await repository.getByDateRange(slice('2024-01-31T22:00Z', '2024-02-01T02:00Z'))).to.deep.equal(
        rows.slice(2, 6),
      )
      expect(await repository.getByDateRange(slice('2024-01-31T22:00:00.001Z', '2024-01-31T23:00Z'))).to.deep.equal(
        [],
      )
      await failingWith('BAD_RANGE', async () => repository.getByDateRange({ ...BTC, fromUs: 5n, toUs: 5n }))
    })

    it('takes ranges that begin before 1970 and end when no calendar reaches', async () => {
      const rows = bars('2024-01-31T22:00Z', 4)
      await repository.save(BTC, rows)
      const ever = sliceOf(BTC, -1n, 2n ** 62n)
      expect(await repository.getByDateRange(ever)).to.deep.equal(rows)
      expect(await repository.exists(ever)).to.equal(true)
      for (const never of [sliceOf(BTC, -(2n ** 62n), 0n), sliceOf(BTC, 253_402_300_800_000_000n, 2n ** 62n)]) {
        expect(await repository.getByDateRange(never)).to.deep.equal([])
        expect(await repository.deleteByDateRange(never)).to.equal(0)
      }
      expect(await repository.deleteByDateRange(ever)).to.equal(4)
    })

    it('keeps series apart', async () => {
      const eth = { ...BTC, symbol: 'ETHUSDT' }
      const um: Series = { ...BTC, dataset: 'um-klines' }
      await repository.save(BTC, bars('2024-01-01T00:00Z', 3))
      await repository.save(eth, bars('2024-01-01T00:00Z', 2, 1))
      await repository.save(um, bars('2024-01-01T00:00Z', 1, 2))
      expect(await all()).to.have.length(3)
      expect(await repository.getLatest(eth, 9)).to.deep.equal(bars('2024-01-01T00:00Z', 2, 1))
      await repository.deleteByDateRange(slice('2024-01-01', '2025-01-01', um))
      expect(await all()).to.have.length(3)
    })

    it('keeps no series of a name that is none', async () => {
      const wrong = [
        ['BAD_MARKET', { dataset: 'nope-klines' }], ['BAD_INTERVAL', { interval: '1M' }],
        ['BAD_SYMBOL', { symbol: 'btcusdt' }], ['BAD_PARTITION', { symbol: '../BTCUSDT' }],
      ] as const
      for (const [code, part] of wrong) {
        await failingWith(code, async () => repository.save({ ...BTC, ...part } as Series, bars('2024-01-01T00:00Z', 2)))
      }
      expect(await all()).to.deep.equal([])
    })

    it('gives the newest rows, the newest last, over the ends of months', async () => {
      const rows = [...bars('2024-01-31T22:00Z', 2), ...bars('2024-03-01T00:00Z', 2)]
      await repository.save(BTC, rows)
      expect(await repository.getLatest(BTC)).to.deep.equal(rows.slice(-1))
      expect(await repository.getLatest(BTC, 3)).to.deep.equal(rows.slice(-3))
      expect(await repository.getLatest(BTC, 100)).to.deep.equal(rows)
      expect(await repository.getLatest(BTC, 0)).to.deep.equal([])
      await failingWith('BAD_USAGE', async () => repository.getLatest(BTC, -1))
    })

    it('saving again replaces rows of the same time and no others; the last of two in one call counts', async () => {
      await repository.save(BTC, bars('2024-01-01T00:00Z', 4))
      expect(await repository.save(BTC, bars('2024-01-01T02:00Z', 4, 1))).to.equal(4)
      const want = [...bars('2024-01-01T00:00Z', 2), ...bars('2024-01-01T02:00Z', 4, 1)]
      expect(await all()).to.deep.equal(want)
      const [first] = bars('2024-01-01T00:00Z', 1)
      expect(await repository.save(BTC, [first!, { ...first!, close: 101 }])).to.equal(1)
      expect((await all())[0]?.close).to.equal(101)
      expect(await repository.save(BTC, [])).to.equal(0)
    })

    it('knows whether anything lies in a range', async () => {
      await repository.save(BTC, bars('2024-01-10T05:00Z', 1))
      expect(await repository.exists(slice('2024-01-10T05:00Z', '2024-01-10T05:01Z'))).to.equal(true)
      expect(await repository.exists(slice('2024-01-10T04:00Z', '2024-01-10T05:00Z'))).to.equal(false)
      expect(await repository.exists(slice('2024-01-10T05:01Z', '2024-01-31T00:00Z'))).to.equal(false)
    })

    it('deletes a range and nothing else, and says how much it was', async () => {
      const rows = bars('2024-01-31T20:00Z', 8)
      await repository.save(BTC, rows)
      expect(await repository.deleteByDateRange(slice('2024-01-31T22:00Z', '2024-02-01T02:00Z'))).to.equal(4)
      expect(await all()).to.deep.equal([...rows.slice(0, 2), ...rows.slice(6)])
      expect(await repository.deleteByDateRange(slice('2024-01-01', '2025-01-01'))).to.equal(4)
      expect(await all()).to.deep.equal([])
      expect(await repository.getAvailableDates(BTC)).to.deep.equal([])
    })

    it('names the UTC days that have rows', async () => {
      await repository.save(BTC, [...bars('2024-01-31T23:00Z', 2), ...bars('2024-02-29T00:00Z', 1)])
      expect(await repository.getAvailableDates(BTC)).to.deep.equal(['2024-01-31', '2024-02-01', '2024-02-29'])
    })

    it('refuses values that are none, and is as it was', async () => {
      await repository.save(BTC, bars('2024-01-01T00:00Z', 2))
      const [row] = bars('2024-01-01T05:00Z', 1)
      for (const odd of [
        { close: Number.NaN },
        { volume: Infinity },
        { trades: 1.5 },
        { close: '5' as unknown as number },
        { openTimeUs: 253_402_300_800_000_000n },
      ]) {
        await failingWith('CORRUPT', async () => repository.save(BTC, [{ ...row!, ...odd }]))
      }
      expect(await all()).to.deep.equal(bars('2024-01-01T00:00Z', 2))
    })

    it('two who save at once both find their rows', async () => {
      await Promise.all([
        repository.save(BTC, bars('2024-01-01T00:00Z', 10)),
        repository.save(BTC, bars('2024-01-02T00:00Z', 10)),
        repository.save(BTC, bars('2024-01-03T00:00Z', 10)),
      ])
      expect(await all()).to.have.length(30)
    })

    it('whatever is saved and deleted in turn, it holds what a map would hold', async () => {
      const hour = fc.nat(90 * 24).map((n) => at('2024-01-01') + BigInt(n) * HOUR_US)
      const step = fc.oneof(
        { weight: 2, arbitrary: fc.record({ save: fc.array(hour, { minLength: 1, maxLength: 20 }) }) },
        { weight: 1, arbitrary: fc.record({ from: hour, hours: fc.integer({ min: 1, max: 900 }) }) },
      )
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
          const model = new Map<bigint, Candle>()
          await repository.deleteByDateRange(slice('2020-01-01', '2030-01-01'))
          for (const [version, one] of steps.entries()) {
            if ('save' in one) {
              const rows = one.save.map((us) => bar(us, version))
              rows.forEach((row) => model.set(row.openTimeUs, row))
              await repository.save(BTC, rows)
            } else {
              const to = one.from + BigInt(one.hours) * HOUR_US
              const gone = [...model.keys()].filter((us) => us >= one.from && us < to)
              gone.forEach((us) => model.delete(us))
              expect(await repository.deleteByDateRange(sliceOf(BTC, one.from, to))).to.equal(gone.length)
            }
          }
          const want = [...model.values()].sort((a, b) => (a.openTimeUs < b.openTimeUs ? -1 : 1))
          expect(await all()).to.deep.equal(want)
          expect(await repository.getLatest(BTC, 3)).to.deep.equal(want.slice(-3))
        }),
        { numRuns: 8 },
      )
    })
  })
}
