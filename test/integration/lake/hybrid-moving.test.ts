import { expect } from 'chai'
import type { Part } from '../../../src/domain/merge-parts.js'
import { sliceOf } from '../../../src/domain/slice.js'
import { candleReader } from '../../../src/lake/hot-repository.js'
import { until } from '../../support/cli.js'
import { BTC_1M, hotBars, usAt } from '../../support/hot-candles.js'
import { openHybrid, type Hybrid } from '../../support/hybrid.js'

const YEAR = sliceOf(BTC_1M, usAt('2024-01-01'), usAt('2025-01-01'))
const MONTHS = ['2024-01', '2024-02', '2024-03'] as const
/** Some bars on both sides of midnight at the end of each month. */
const BARS = ['2024-01-31', '2024-02-29', '2024-03-31'].map((day) => hotBars(`${day}T23:45Z`, 15))
const ROWS = BARS.flat().map(candleReader<unknown>('double'))

for (const s3 of [false, true]) describe(`a reader beside rows that move into a ${s3 ? 'bucket' : 'folder'}`, function () {
  this.timeout(120_000)
  let h: Hybrid

  before(async () => {
    h = await openHybrid({ s3 })
  })

  after(() => h.close())

  it('sees every row once, at every instant, whether hot, published, published again or dropped', async () => {
    const seen = new Map<string, number>()
    let moving = true
    const poll = async (): Promise<void> => {
      while (moving) {
        const { rows, parts } = await h.repository.read(YEAR)
        expect(rows).to.deep.equal(ROWS)
        const sides = new Set(parts.map(({ from }: Part) => from))
        const kind = sides.size === 2 ? 'both' : [...sides].join()
        seen.set(kind, (seen.get(kind) ?? 0) + 1)
        expect(await h.repository.getLatest(BTC_1M, 20)).to.deep.equal(ROWS.slice(-20))
        expect(await h.repository.exists(YEAR)).to.equal(true)
        expect(await h.repository.getAvailableDates(BTC_1M)).to.deep.equal(['2024-01-31', '2024-02-29', '2024-03-31'])
      }
    }
    const move = async (): Promise<void> => {
      for (let round = 0; round < 3; round++) {
        for (const [n, month] of MONTHS.entries()) {
          await h.publish(BTC_1M, month, BARS[n]!)
          await h.prune({ now: '2025-01-01' })
          await h.publish(BTC_1M, month, BARS[n]!)
          // Late rows of REST, the same again: they are hot once more until the next pruning.
          if (round < 2) await h.catalog.hot.save(BTC_1M, BARS[n]!.slice(5), 'closed')
        }
      }
    }
    await h.catalog.hot.save(BTC_1M, BARS.flat(), 'closed')
    const readers = [poll(), poll()]
    try {
      await move()
    } finally {
      moving = false
      await Promise.all(readers)
    }
    expect(await h.catalog.hot.partitions(), 'left hot').to.deep.equal([])
    expect((await h.repository.read(YEAR)).parts.map(({ from }) => from)).to.deep.equal(['warm'])
    expect([...seen.keys()]).to.include.members(['both', 'warm'])
    expect([...seen.values()].reduce((sum, count) => sum + count, 0), 'readings').to.be.greaterThan(20)
  })

  it('a reader whose snapshot is older than the drop still finds the rows hot', async () => {
    await h.catalog.hot.save({ ...BTC_1M, symbol: 'OLDUSDT' }, BARS[0]!, 'closed')
    const at = { ...YEAR, symbol: 'OLDUSDT' }
    let pruning: Promise<unknown> = Promise.resolve()
    const rows = await h.catalog.hot.view(async (view) => {
      expect(await view.months(at)).to.deep.equal([])
      await h.publish({ ...BTC_1M, symbol: 'OLDUSDT' }, '2024-01', BARS[0]!)
      pruning = h.prune({ now: '2025-01-01' })
      const waiting = `select from pg_locks where not granted and mode = 'AccessExclusiveLock'`
      await until('the drop waits', async () => (await h.catalog.pool.query(waiting)).rowCount === 1 || null, 10_000)
      return await view.read(at)
    })
    expect(rows).to.deep.equal(BARS[0])
    await pruning
    expect(await h.catalog.hot.partitions()).to.deep.equal([])
    expect((await h.repository.read(at)).rows).to.have.length(15)
  })
})
