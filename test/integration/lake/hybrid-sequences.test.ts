import { expect } from 'chai'
import fc from 'fast-check'
import type { HotCandle, Standing } from '../../../src/domain/hot-candle.js'
import { STANDINGS } from '../../../src/domain/hot-candle.js'
import { monthOfUs } from '../../../src/domain/month.js'
import type { Series } from '../../../src/domain/partition.js'
import { sliceOf } from '../../../src/domain/slice.js'
import { candleReader } from '../../../src/lake/hot-repository.js'
import { failingWith } from '../../support/failing-with.js'
import { BTC_1M, hotBar, usAt } from '../../support/hot-candles.js'
import { openHybrid, type Hybrid } from '../../support/hybrid.js'

/** Ten steps each; CI asks for 10,000 steps. */
const RUNS = Number(process.env['HYBRID_STEPS'] ?? 200) / 10
const SEED = Number(process.env['HYBRID_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

const HOUR_US = 3_600_000_000n
const START = usAt('2024-01-25')
const MONTHS = ['2024-01', '2024-02'] as const
const WHOLE = sliceOf(BTC_1M, START, usAt('2024-03-01'))
const candle = candleReader<unknown>('double')
const dayOf = (us: bigint): string => new Date(Number(us / 1_000n)).toISOString().slice(0, 10)

/** Hours of 14 days around the end of a month. */
const hour = fc.nat(14 * 24 - 1).map((n) => START + BigInt(n) * HOUR_US)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({
    kind: fc.constant('save' as const), hours: fc.array(hour, { minLength: 1, maxLength: 30 }), version: fc.nat(3),
    standing: fc.constantFrom<Standing>('open', 'closed', 'closed', 'closed', 'archive'),
  }) },
  { weight: 2, arbitrary: fc.record({
    kind: fc.constant('publish' as const), month: fc.constantFrom(...MONTHS), lacks: fc.nat(4),
    more: fc.array(hour, { maxLength: 5 }),
  }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('prune' as const), days: fc.nat(14) }) },
  { weight: 1, arbitrary: fc.record({
    kind: fc.constant('delete' as const), from: hour, hours: fc.integer({ min: 1, max: 60 }),
  }) },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** A sequence that is always among them: it comes to everything that the random ones may come to. */
const hours = Array.from({ length: 12 }, (_, n) => START + BigInt(n * 24) * HOUR_US)
const EXAMPLE: Step[] = [
  { kind: 'save', hours, version: 1, standing: 'closed' },
  { kind: 'publish', month: '2024-01', lacks: 0, more: [] },
  { kind: 'prune', days: 14 },
  { kind: 'save', hours: hours.slice(0, 2), version: 2, standing: 'closed' },
  { kind: 'prune', days: 14 },
  { kind: 'delete', from: START, hours: 60 },
  { kind: 'delete', from: hours[9]!, hours: 30 },
]

/** What both sides hold, as maps by open time. */
class Model {
  readonly hot = new Map<bigint, { readonly row: HotCandle; readonly standing: number }>()
  readonly warm = new Map<bigint, HotCandle>()

  save(rows: readonly HotCandle[], standing: number): number {
    const last = new Map(rows.map((row) => [row.openTimeUs, row]))
    const taken = [...last.values()].filter((row) => (this.hot.get(row.openTimeUs)?.standing ?? -1) <= standing)
    for (const row of taken) this.hot.set(row.openTimeUs, { row, standing })
    return taken.length
  }

  rows(): HotCandle[] {
    const closed = [...this.hot].filter(([, { standing }]) => standing > 0)
    const all = new Map([...closed.map(([us, { row }]) => [us, row] as const), ...this.warm])
    return [...all.values()].sort((a, b) => (a.openTimeUs < b.openTimeUs ? -1 : 1))
  }

  /** Days that end at or before `limitUs` and whose closed rows the month holds. */
  held(limitUs: bigint, published: ReadonlySet<string>): string[] {
    const days = new Map<string, boolean>()
    for (const [us, { row, standing }] of this.hot) {
      if (START + ((us - START) / (24n * HOUR_US) + 1n) * 24n * HOUR_US > limitUs) continue
      const other = this.warm.get(us)
      const same = other !== undefined && JSON.stringify(plain(row)) === JSON.stringify(plain(other))
      const is = published.has(monthOfUs(us)) && (standing === 0 || same)
      days.set(dayOf(us), (days.get(dayOf(us)) ?? true) && is)
    }
    return [...days].filter(([, is]) => is).map(([day]) => day).sort()
  }
}

const plain = ({ openTimeUs, closeTimeUs, ...rest }: HotCandle): unknown =>
  [String(openTimeUs), String(closeTimeUs), rest]

describe('hot and warm through random sequences', function () {
  this.timeout(Math.max(120_000, RUNS * 10_000))

  let h: Hybrid
  let runs = 0

  before(async () => {
    h = await openHybrid()
  })

  after(() => h.close())

  it(`hold what two maps hold, after every step (HYBRID_SEED=${SEED})`, async () => {
    const reached = new Set<string>()
    const property = fc.asyncProperty(fc.array(step, { minLength: 7, maxLength: 13 }), async (steps) => {
      const series = { ...BTC_1M, symbol: `RUN${++runs}USDT` }
      const world: World = { h, series, model: new Model(), published: new Set(), reached }
      for (const one of steps) await take(one, world)
      for (const day of await h.catalog.hot.partitions()) {
        await h.catalog.pool.query(`drop table hot_candles_${day.replaceAll('-', '')}`)
      }
    })
    await fc.assert(property, { numRuns: RUNS, seed: SEED, endOnFailure: true, examples: [[EXAMPLE]] })
    expect([...reached]).to.include.members(['save', 'publish', 'days left', 'days stayed', 'refused', 'delete'])
  })
})

type World = {
  readonly h: Hybrid
  readonly series: Series
  readonly model: Model
  readonly published: Set<string>
  readonly reached: Set<string>
}

async function take(one: Step, { h, series, model, published, reached }: World): Promise<void> {
  reached.add(one.kind)
  if (one.kind === 'save') {
    const [rows, standing] = [one.hours.map((us) => hotBar(us, one.version)), STANDINGS.indexOf(one.standing)]
    expect(await h.catalog.hot.save(series, rows, one.standing)).to.equal(model.save(rows, standing))
  } else if (one.kind === 'publish') {
    const known = model.rows().filter(({ openTimeUs }) => monthOfUs(openTimeUs) === one.month)
    const more = one.more.filter((us) => monthOfUs(us) === one.month).map((us) => hotBar(us, 9))
    const rows = [...new Map([...more, ...known.slice(one.lacks)].map((row) => [row.openTimeUs, row])).values()]
    if (rows.length === 0) return
    await h.publish(series, one.month, rows)
    for (const us of model.warm.keys()) if (monthOfUs(us) === one.month) model.warm.delete(us)
    for (const row of rows) model.warm.set(row.openTimeUs, row)
    published.add(one.month)
  } else if (one.kind === 'prune') {
    const nowUs = START + BigInt(one.days + 30) * 24n * HOUR_US
    const days = await h.prune({ now: new Date(Number(nowUs / 1_000n)).toISOString() })
    const gone = days.filter(({ rows }) => rows > 0).map(({ day }) => day)
    expect(gone).to.deep.equal(model.held(START + BigInt(one.days) * 24n * HOUR_US, published))
    if (gone.length > 0) reached.add('days left')
    if (gone.length < days.length) reached.add('days stayed')
    for (const us of model.hot.keys()) if (gone.includes(dayOf(us))) model.hot.delete(us)
  } else {
    const at = sliceOf(series, one.from, one.from + BigInt(one.hours) * HOUR_US)
    const isIn = (us: bigint): boolean => us >= at.fromUs && us < at.toUs
    if ([...model.warm.keys()].some(isIn)) {
      reached.add('refused')
      await failingWith('PARTITION_PUBLISHED', () => h.repository.deleteByDateRange(at))
    } else {
      const found = [...model.hot.keys()].filter(isIn)
      expect(await h.repository.deleteByDateRange(at)).to.equal(found.length)
      for (const us of found) model.hot.delete(us)
    }
  }
  const want = model.rows().map(candle)
  expect(await h.repository.getByDateRange({ ...WHOLE, ...series }), `after ${one.kind}`).to.deep.equal(want)
  expect(await h.repository.getLatest(series, 7), `newest after ${one.kind}`).to.deep.equal(want.slice(-7))
  const days = [...new Set(want.map(({ openTimeUs }) => dayOf(openTimeUs)))]
  expect(await h.repository.getAvailableDates(series)).to.deep.equal(days)
}
