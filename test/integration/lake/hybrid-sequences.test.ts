import { expect } from 'chai'
import fc from 'fast-check'
import type { Standing } from '../../../src/domain/hot-candle.js'
import { STANDINGS } from '../../../src/domain/hot-candle.js'
import { monthOfUs } from '../../../src/domain/month.js'
import type { Series } from '../../../src/domain/partition.js'
import { sliceOf } from '../../../src/domain/slice.js'
import { candleReader } from '../../../src/lake/hot-repository.js'
import { migrateMonth } from '../../../src/lake/migrate-hot.js'
import { failingWith } from '../../support/failing-with.js'
import { BTC_1M, hotBar, usAt } from '../../support/hot-candles.js'
import { openHybrid, type Hybrid } from '../../support/hybrid.js'
import { dayOf, Model } from './sequence-world.js'

/** CI takes ten thousand. */
const STEPS = Number(process.env['HYBRID_STEPS'] ?? 2_000)
const PER_RUN = 10
const SEED = Number(process.env['HYBRID_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
/** Databases at a time: retention is of all that lies in one. */
const LANES = 2

const HOUR_US = 3_600_000_000n
const START = usAt('2024-01-25')
const MONTHS = ['2024-01', '2024-02'] as const
const WHOLE = sliceOf(BTC_1M, START, usAt('2024-03-01'))
const candle = candleReader<unknown>('double')

/** Hours of 14 days around the end of a month. */
const hour = fc.nat(14 * 24 - 1).map((n) => START + BigInt(n) * HOUR_US)
const month = fc.constantFrom(...MONTHS)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({
    kind: fc.constant('save' as const), hours: fc.array(hour, { minLength: 1, maxLength: 30 }), version: fc.nat(3),
    standing: fc.constantFrom<Standing>('open', 'closed', 'closed', 'closed', 'archive'),
  }) },
  { weight: 2, arbitrary: fc.record({
    kind: fc.constant('publish' as const), month, lacks: fc.nat(4), more: fc.array(hour, { maxLength: 5 }),
  }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('build' as const), month }) },
  { weight: 3, arbitrary: fc.record({
    kind: fc.constant('migrate' as const), month, days: fc.nat(14),
    dies: fc.constantFrom(null, null, 'compared', 'reported', 'corrected', 'locked', 'removed'),
  }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('prune' as const), days: fc.nat(14) }) },
  { weight: 1, arbitrary: fc.record({
    kind: fc.constant('delete' as const), from: hour, hours: fc.integer({ min: 1, max: 60 }),
  }) },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** A sequence that is always among them: it comes to everything that the random ones may come to. */
const hours = Array.from({ length: 12 }, (_, n) => START + BigInt(n * 24) * HOUR_US)
const EXAMPLE: Step[] = [
  { kind: 'save', hours, version: 1, standing: 'closed' },
  { kind: 'build', month: '2024-01' },
  { kind: 'publish', month: '2024-01', lacks: 0, more: [] },
  { kind: 'save', hours: hours.slice(0, 2), version: 2, standing: 'closed' },
  ...(['compared', 'reported', 'corrected', 'locked', null] as const).map((dies) => (
    { kind: 'migrate' as const, month: '2024-01' as const, days: 14, dies })),
  { kind: 'save', hours: hours.slice(0, 2), version: 1, standing: 'closed' },
  { kind: 'migrate', month: '2024-01', days: 14, dies: 'removed' },
  { kind: 'prune', days: 14 },
  { kind: 'delete', from: START, hours: 60 },
  { kind: 'delete', from: hours[9]!, hours: 30 },
]
const REACHED = [
  'save', 'publish', 'build', 'migrate', 'days left', 'days stayed', 'corrected', 'died at compared', 'died at reported',
  'died at corrected', 'died at locked', 'died at removed', 'refused', 'delete',
]

type World = {
  readonly h: Hybrid
  readonly series: Series
  readonly model: Model
  readonly reached: Set<string>
}

describe('hot and warm through random sequences', function () {
  this.timeout(Math.max(180_000, STEPS * 500))

  let lanes: Hybrid[] = []

  before(async () => {
    lanes = await Promise.all(Array.from({ length: LANES }, () => openHybrid()))
  })

  after(() => Promise.all(lanes.map((h) => h.close())))

  it(`hold what two maps hold, after each of ${STEPS} steps (HYBRID_SEED=${SEED})`, async () => {
    const reached = new Set<string>()
    let steps = 0
    const lane = async (h: Hybrid, n: number): Promise<void> => {
      let runs = 0
      const property = fc.asyncProperty(fc.array(step, { minLength: 7, maxLength: 13 }), async (sequence) => {
        const world: World = { h, series: { ...BTC_1M, symbol: `RUN${++runs}USDT` }, model: new Model(), reached }
        for (const [i, one] of sequence.entries()) {
          await take(one, world)
          await compare(world, one.kind, i % 3 === 2 || i === sequence.length - 1)
        }
        steps += sequence.length
        const all = await h.catalog.hot.partitions()
        const tables = all.map((day) => `hot_candles_${day.replaceAll('-', '')}`)
        if (tables.length > 0) await h.catalog.pool.query(`drop table ${tables.join(', ')}`)
      })
      const numRuns = Math.ceil(STEPS / PER_RUN / LANES)
      await fc.assert(property, { numRuns, seed: SEED + n, endOnFailure: true, examples: [[EXAMPLE]] })
    }
    await Promise.all(lanes.map(lane))
    expect([...reached]).to.include.members(REACHED)
    expect(steps).to.be.greaterThan(STEPS * 0.9)
  })
})

/** A range and all else that a repository can be asked: the latter costs most of a step, so every third one asks it. */
async function compare({ h, series, model }: World, kind: string, isWhole: boolean): Promise<void> {
  const want = model.rows().map(candle)
  expect(await h.repository.getByDateRange({ ...WHOLE, ...series }), `after ${kind}`).to.deep.equal(want)
  if (!isWhole) return
  expect(await h.repository.getLatest(series, 7), `newest after ${kind}`).to.deep.equal(want.slice(-7))
  const days = [...new Set(want.map(({ openTimeUs }) => dayOf(openTimeUs)))]
  expect(await h.repository.getAvailableDates(series)).to.deep.equal(days)
}

async function take(one: Step, world: World): Promise<void> {
  const { h, series, model, reached } = world
  if (one.kind !== 'prune') reached.add(one.kind)
  switch (one.kind) {
    case 'save': {
      const [rows, standing] = [one.hours.map((us) => hotBar(us, one.version)), STANDINGS.indexOf(one.standing)]
      return void expect(await h.catalog.hot.save(series, rows, one.standing)).to.equal(model.save(rows, standing))
    }
    case 'publish': {
      const known = model.rows().filter(({ openTimeUs }) => monthOfUs(openTimeUs) === one.month)
      const more = one.more.filter((us) => monthOfUs(us) === one.month).map((us) => hotBar(us, 9))
      const rows = [...new Map([...more, ...known.slice(one.lacks)].map((row) => [row.openTimeUs, row])).values()]
      return rows.length === 0 ? undefined : await publish(world, one.month, rows, false)
    }
    case 'build': {
      const rows = model.closed(one.month)
      const isVerified = model.months.get(one.month)?.provisional === false
      return rows.length === 0 || isVerified ? undefined : await publish(world, one.month, rows, true)
    }
    case 'migrate': return await migrate(one, world)
    case 'prune': return await prune(one.days, world)
    case 'delete': return await remove(sliceOf(series, one.from, one.from + BigInt(one.hours) * HOUR_US), world)
  }
}

async function publish(
  { h, series, model }: World, to: string, given: Parameters<Hybrid['publish']>[2], provisional: boolean,
): Promise<void> {
  const rows = [...given].sort((a, b) => (a.openTimeUs < b.openTimeUs ? -1 : 1))
  await h.restore(series, to, rows, { provisional })
  model.publish(to, rows, provisional)
}

class Died extends Error {}

async function migrate(
  { month: of, days, dies }: Extract<Step, { kind: 'migrate' }>, { h, series, model, reached }: World,
): Promise<void> {
  const limitUs = START + BigInt(days) * 24n * HOUR_US
  let died = false
  const pass = (point: string): void => {
    if (point !== `migrate.${dies}`) return
    died = true
    reached.add(`died at ${dies}`)
    throw new Died()
  }
  const record = h.catalog.migration.record.bind(h.catalog.migration)
  const ports = { hot: h.catalog.hot, lake: h.lake, numericType: 'double', record, pass } as const
  const signal = new AbortController().signal
  await migrateMonth({ ...ports, signal }, { ...series, month: of }, limitUs).catch((thrown: unknown) => {
    if (!(thrown instanceof Died)) throw thrown
  })
  if (model.months.get(of)?.provisional !== false || (died && (dies === 'compared' || dies === 'reported'))) return
  const inMonth = usAt(`${of}-01`)
  const endUs = of === '2024-01' ? usAt('2024-02-01') : usAt('2024-03-01')
  const upTo = limitUs < endUs ? limitUs : endUs
  if (model.correct(upTo, inMonth) > 0) reached.add('corrected')
  if (died && (dies === 'corrected' || dies === 'locked')) return
  const held = model.held(upTo).filter((day) => day.startsWith(of))
  if (held.length > 0) reached.add('days left')
  model.remove(held)
}

async function prune(passed: number, { h, model, reached }: World): Promise<void> {
  const nowUs = START + BigInt(passed + 30) * 24n * HOUR_US
  const days = await h.prune({ now: new Date(Number(nowUs / 1_000n)).toISOString() })
  const gone = days.filter(({ rows }) => rows > 0).map(({ day }) => day)
  expect(gone).to.deep.equal(model.held(START + BigInt(passed) * 24n * HOUR_US))
  if (gone.length > 0) reached.add('days left')
  if (gone.length < days.length) reached.add('days stayed')
  model.remove(gone)
}

async function remove(at: ReturnType<typeof sliceOf>, { h, model, reached }: World): Promise<void> {
  const isIn = (us: bigint): boolean => us >= at.fromUs && us < at.toUs
  if ([...model.warm.keys()].some(isIn)) {
    reached.add('refused')
    await failingWith('PARTITION_PUBLISHED', () => h.repository.deleteByDateRange(at))
    return
  }
  const found = [...model.hot.keys()].filter(isIn)
  expect(await h.repository.deleteByDateRange(at)).to.equal(found.length)
  for (const us of found) model.hot.delete(us)
}
