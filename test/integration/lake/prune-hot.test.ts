import { expect } from 'chai'
import type { Series } from '../../../src/domain/partition.js'
import { sliceOf } from '../../../src/domain/slice.js'
import { BTC_1M, hotBar, hotBars, usAt } from '../../support/hot-candles.js'
import { openHybrid, type Hybrid } from '../../support/hybrid.js'

const ETH: Series = { ...BTC_1M, symbol: 'ETHUSDT' }
const YEAR = sliceOf(BTC_1M, usAt('2024-01-01'), usAt('2025-01-01'))
/** The last day of January is past 30 days from here on. */
const NOW = '2024-03-02T00:00Z'

describe('retention of hot rows', () => {
  let h: Hybrid

  beforeEach(async () => {
    h = await openHybrid()
  })

  afterEach(() => h.close())

  const save = (s: Series, from: string, count: number, version = 0) =>
    h.catalog.hot.save(s, hotBars(from, count, version), 'closed')

  it('a day leaves when it is old enough and a verified month holds every row of it', async () => {
    await save(BTC_1M, '2024-01-30T23:50Z', 20)
    expect((await h.prune({ now: NOW }))[0]).to.deep.equal({ day: '2024-01-30', series: 0, rows: 0, kept: [
      { series: BTC_1M, rows: 10, why: 'late', differing: 0, differences: [] },
    ] })
    await h.publish(BTC_1M, '2024-01', hotBars('2024-01-30T23:00Z', 500), { provisional: true })
    expect((await h.prune({ now: NOW })).map(({ rows }) => rows), 'a provisional month').to.deep.equal([0, 0])
    await h.publish(BTC_1M, '2024-01', hotBars('2024-01-30T23:00Z', 500))
    const before = await h.repository.getByDateRange(YEAR)
    expect(await h.prune({ now: NOW, dryRun: true })).to.deep.equal([
      { day: '2024-01-30', series: 1, rows: 10, kept: [] }, { day: '2024-01-31', series: 1, rows: 10, kept: [] },
    ])
    expect(await h.catalog.hot.partitions(), 'after a dry run').to.deep.equal(['2024-01-30', '2024-01-31'])
    expect((await h.prune({ now: '2024-03-01T23:59Z' })).map(({ day }) => day)).to.deep.equal(['2024-01-30'])
    expect(await h.catalog.hot.partitions()).to.deep.equal(['2024-01-31'])
    expect((await h.prune({ now: NOW })).map(({ day }) => day)).to.deep.equal(['2024-01-31'])
    expect(await h.catalog.hot.partitions()).to.deep.equal([])
    expect(await h.repository.getByDateRange(YEAR)).to.deep.equal(before)
  })

  it('rows that the month lacks or has otherwise stay, are named, and are read on', async () => {
    await h.publish(BTC_1M, '2024-01', hotBars('2024-01-31T00:00Z', 3))
    await save(BTC_1M, '2024-01-31T00:02Z', 2)
    await h.catalog.hot.save(BTC_1M, [{ ...hotBar(usAt('2024-01-31T00:01Z')), close: '7' }], 'closed')
    const [day] = await h.prune({ now: NOW })
    const close = String(Number(hotBar(usAt('2024-01-31T00:01Z')).close))
    const differs = { series: BTC_1M, rows: 3, why: 'differs', differing: 2 }
    expect(day).to.deep.include({ rows: 0, kept: [{ ...differs, differences: [
      { openTimeUs: usAt('2024-01-31T00:01Z'), column: 'close', hot: '7', warm: close },
      { openTimeUs: usAt('2024-01-31T00:03Z'), column: null, hot: null, warm: null },
    ] }] })
    expect(await h.repository.getByDateRange(YEAR)).to.have.length(4)
  })

  it('of a day that differs everywhere the first differences are named, and all are counted', async () => {
    await h.publish(BTC_1M, '2024-01', hotBars('2024-01-31T00:00Z', 1_440))
    const other = hotBars('2024-01-31T00:00Z', 1_440).map((row) => ({ ...row, closeTimeUs: row.closeTimeUs - 1n }))
    await h.catalog.hot.save(BTC_1M, other, 'closed')
    const [kept] = (await h.prune({ now: NOW }))[0]?.kept ?? []
    expect(kept).to.deep.include({ rows: 1_440, why: 'differs', differing: 1_440 })
    expect(kept?.differences).to.have.length(1_000)
    expect(kept?.differences[0]).to.deep.include({ openTimeUs: usAt('2024-01-31'), column: 'closeTimeUs' })
  })

  it('a month whose object is gone keeps its rows, and no other month', async () => {
    for (const series of [BTC_1M, ETH]) {
      await save(series, '2024-01-30T23:50Z', 20)
      await h.publish(series, '2024-01', hotBars('2024-01-30T23:00Z', 500))
    }
    await h.lake.delete({ ...BTC_1M, month: '2024-01' })
    const unreadable = { series: BTC_1M, rows: 10, why: 'unreadable', differing: 0, differences: [] }
    const days = await h.prune({ now: NOW })
    expect(days).to.deep.equal(['2024-01-30', '2024-01-31'].map((day) => ({ day, series: 1, rows: 10, kept: [unreadable] })))
    expect(await h.catalog.hot.read(YEAR)).to.have.length(20)
    expect(await h.catalog.hot.read({ ...YEAR, symbol: 'ETHUSDT' })).to.deep.equal([])
  })

  it('a late series keeps its own rows of a day, not those of others', async () => {
    await save(BTC_1M, '2024-01-31T00:00Z', 5)
    await save(ETH, '2024-01-31T00:00Z', 7)
    await h.publish(BTC_1M, '2024-01', hotBars('2024-01-31T00:00Z', 5))
    const [day] = await h.prune({ now: NOW })
    const late = { series: ETH, rows: 7, why: 'late', differing: 0, differences: [] }
    expect(day).to.deep.include({ series: 1, rows: 5, kept: [late] })
    expect(await h.catalog.hot.read(YEAR)).to.deep.equal([])
    expect(await h.repository.getLatest(ETH, 9)).to.have.length(7)
    await h.publish(ETH, '2024-01', hotBars('2024-01-31T00:00Z', 7))
    expect((await h.prune({ now: NOW }))[0]).to.deep.include({ series: 1, rows: 7 })
    expect(await h.catalog.hot.partitions()).to.deep.equal([])
  })

  it('a row that came or changed after the comparison keeps the day, and so does another object', async () => {
    await h.publish(BTC_1M, '2024-01', hotBars('2024-01-31T00:00Z', 9))
    await save(BTC_1M, '2024-01-31T00:00Z', 5)
    const { hot } = h.catalog
    const day = sliceOf(BTC_1M, usAt('2024-01-31'), usAt('2024-02-01'))
    const compared = async () => await hot.view(async (view) => {
      const [month] = await view.months(day)
      const [contents = { day: '', rows: 0, digest: '' }] = await view.contents(day)
      return { ...contents, series: BTC_1M, etag: month?.object.etag ?? '' }
    })
    const before = await compared()
    await hot.save(BTC_1M, [{ ...hotBar(usAt('2024-01-31')), trades: 99 }], 'closed')
    expect(await hot.remove([before]), 'changed').to.deep.equal([])
    const changed = await compared()
    expect(changed.rows).to.equal(before.rows)
    await save(BTC_1M, '2024-01-31T00:05Z', 1)
    expect(await hot.remove([changed]), 'came').to.deep.equal([])
    const come = await compared()
    expect(await hot.remove([{ ...come, etag: 'another' }]), 'replaced').to.deep.equal([])
    expect(await hot.read(YEAR)).to.have.length(6)
    expect(await hot.remove([come])).to.deep.equal([come])
    expect(await hot.partitions()).to.deep.equal([])
  })

  it('a day that others emptied loses its partition, too', async () => {
    await save(BTC_1M, '2024-01-31T00:00Z', 5)
    await h.catalog.hot.delete(YEAR)
    expect(await h.catalog.hot.partitions()).to.deep.equal(['2024-01-31'])
    expect(await h.prune({ now: NOW })).to.deep.equal([{ day: '2024-01-31', series: 0, rows: 0, kept: [] }])
    expect(await h.catalog.hot.partitions()).to.deep.equal([])
  })

  it('two who prune at once let every row go once', async () => {
    await h.publish(BTC_1M, '2024-01', hotBars('2024-01-29T00:00Z', 4_320))
    await save(BTC_1M, '2024-01-29T00:00Z', 4_320)
    const both = await Promise.all([h.prune({ now: NOW }), h.prune({ now: NOW })])
    expect(both.flat().reduce((sum, { rows }) => sum + rows, 0)).to.equal(4_320)
    const why = both.flat().flatMap(({ kept }) => kept.map((one) => one.why))
    expect(why.filter((one) => one !== 'changed' && one !== 'busy')).to.deep.equal([])
    expect(await h.catalog.hot.partitions()).to.deep.equal([])
    expect(await h.repository.getByDateRange(YEAR)).to.have.length(4_320)
  })

  it('who writes a day while it is dropped waits and writes after it', async () => {
    await h.publish(BTC_1M, '2024-01', hotBars('2024-01-31T00:00Z', 9))
    let dropped = 0
    for (let round = 0; round < 10; round++) {
      await save(BTC_1M, '2024-01-31T00:00Z', 5)
      const late = { ...BTC_1M, symbol: `LATE${round}USDT` }
      const writing = [1, 2, 3].map((n) => save(late, `2024-01-31T0${n}:00Z`, 3))
      const [days] = await Promise.all([h.prune({ now: NOW }), ...writing])
      dropped += days.reduce((sum, { series }) => sum + series, 0)
      expect(await h.catalog.hot.read({ ...YEAR, ...late })).to.have.length(9)
      await h.catalog.hot.delete({ ...YEAR, ...late })
    }
    expect(dropped, 'rounds in which rows left').to.be.greaterThan(0)
  })
})
