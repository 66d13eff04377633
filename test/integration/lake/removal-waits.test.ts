import { expect } from 'chai'
import type pg from 'pg'
import { setTimeout as sleep } from 'node:timers/promises'
import { dayStartUs } from '../../../src/domain/month.js'
import { US_PER_DAY } from '../../../src/domain/month.js'
import type { Series } from '../../../src/domain/partition.js'
import type { Held } from '../../../src/domain/ports/hot-store.js'
import { sliceOf } from '../../../src/domain/slice.js'
import { BTC_1M, hotBars, usAt } from '../../support/hot-candles.js'
import { openHybrid, type Hybrid } from '../../support/hybrid.js'

const ETH: Series = { ...BTC_1M, symbol: 'ETHUSDT' }
const YEAR = sliceOf(BTC_1M, usAt('2024-01-01'), usAt('2025-01-01'))
const DAYS = ['2024-01-29', '2024-01-30', '2024-01-31'] as const

describe('hot rows that are removed while others work on them', () => {
  let h: Hybrid

  beforeEach(async () => {
    h = await openHybrid()
    await h.catalog.hot.save(BTC_1M, hotBars('2024-01-29T00:00Z', 4_320), 'closed')
    await h.publish(BTC_1M, '2024-01', hotBars('2024-01-29T00:00Z', 4_320))
  })

  afterEach(() => h.close())

  const heldOf = async (day: string): Promise<Held> => await h.catalog.hot.view(async (view) => {
    const at = sliceOf(BTC_1M, dayStartUs(day), dayStartUs(day) + US_PER_DAY)
    const [[month], [contents]] = [await view.months(at), await view.contents(at)]
    if (!month || !contents) throw new Error(`nothing of ${day}`)
    return { ...contents, series: BTC_1M, etag: month.object.etag }
  })

  /** Rows of the second day are locked until `work` ends, by somebody who looks at that partition alone. */
  const whileLocked = async (work: () => Promise<void>): Promise<void> => {
    const client = await h.catalog.pool.connect()
    try {
      await client.query('begin')
      await client.query('select from hot_candles_20240130 for update')
      await work()
    } finally {
      await client.query('rollback')
      client.release()
    }
  }

  const waiting = async (count: number): Promise<void> => {
    const ask = `select count(*)::int as n from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`
    for (let tries = 0; tries < 200; tries++) {
      const { rows } = await h.catalog.pool.query<{ n: number } & pg.QueryResultRow>(ask)
      if ((rows[0]?.n ?? 0) >= count) return
      await sleep(10)
    }
    throw new Error(`never ${count} wait for locks`)
  }

  it('different days at once leave one after the other', async () => {
    const held = await Promise.all(DAYS.map(heldOf))
    const gone = await Promise.all(held.map((one) => h.catalog.hot.remove([one])))
    expect(gone).to.deep.equal(held.map((one) => [one]))
    expect(await h.catalog.hot.partitions()).to.deep.equal([])
  })

  it('rows are deleted before the first day is dropped: who reads does not wait for them', async () => {
    await h.catalog.hot.save(ETH, hotBars('2024-01-30T00:00Z', 1), 'closed')
    const held = [await heldOf(DAYS[0]), await heldOf(DAYS[1])]
    let removing: Promise<unknown> = Promise.resolve()
    await whileLocked(async () => {
      removing = h.catalog.hot.remove(held)
      removing.catch(() => undefined)
      await waiting(1)
      const read = h.catalog.hot.read(YEAR)
      expect(await Promise.race([read.then((rows) => rows.length), sleep(1_000)])).to.equal(4_320)
    })
    expect(await removing).to.deep.equal(held)
    expect(await h.catalog.hot.partitions()).to.deep.equal(DAYS.slice(1))
  })

  it('who deletes rows of a day waits until it is done', async () => {
    for (const day of DAYS.slice(0, 2)) await h.catalog.hot.save(ETH, hotBars(`${day}T00:00Z`, 1), 'closed')
    const held = await Promise.all(DAYS.map(heldOf))
    let both: Promise<unknown> = Promise.resolve()
    await whileLocked(async () => {
      const removing = h.catalog.hot.remove(held)
      await waiting(1)
      both = Promise.all([removing, h.catalog.hot.delete(YEAR)])
      both.catch(() => undefined)
      await waiting(2)
    })
    expect(await both).to.deep.equal([held, 0])
    expect(await h.catalog.hot.read({ ...YEAR, ...ETH })).to.have.length(2)
  })
})
