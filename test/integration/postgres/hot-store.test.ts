import { expect } from 'chai'
import { COPY_FROM_ROWS } from '../../../src/adapters/postgres/hot/write.js'
import { openCatalog } from '../../../src/adapters/postgres/connect.js'
import type { HotCandle } from '../../../src/domain/hot-candle.js'
import { PipelineError } from '../../../src/domain/errors.js'
import { sliceOf } from '../../../src/domain/slice.js'
import { failingWith } from '../../support/failing-with.js'
import { BTC_1M, hotBar, hotBars, MINUTE_US, usAt } from '../../support/hot-candles.js'
import { openFresh, type Opened } from './catalog-fixture.js'

const YEAR = sliceOf(BTC_1M, usAt('2024-01-01'), usAt('2025-01-01'))

describe('hot rows', () => {
  let catalog: Opened

  beforeEach(async () => {
    catalog = await openFresh()
  })

  afterEach(() => catalog.drop())

  const partitions = async (): Promise<readonly string[]> => (await catalog.hot.stats()).days

  it('keep every digit, and every microsecond', async () => {
    const row: HotCandle = {
      ...hotBar(usAt('2024-01-01T00:00Z') + 1n), closeTimeUs: usAt('2024-01-01T00:01Z') - 1n,
      volume: '123456789012345678901234567890.12345678', close: '0.00000001',
    }
    await catalog.hot.save(BTC_1M, [row], 'closed')
    expect(await catalog.hot.read(YEAR)).to.deep.equal([row])
  })

  it('of a new day are refused to a role that may make no table, with what to do', async () => {
    await catalog.hot.save(BTC_1M, hotBars('2024-01-01T00:00Z', 3), 'closed')
    const role = `writer_${process.pid}`
    await catalog.pool.query(`create role ${role} login password 'of-the-writer'; grant usage on schema candlelake to ${role};
      grant select, insert, update, delete on all tables in schema candlelake to ${role}`)
    const connection = { ...catalog.connection, user: role, password: 'of-the-writer' }
    const weak = await openCatalog({ connection, maxConnections: 2, applicationName: 'test' })
    try {
      expect(await weak.hot.save(BTC_1M, hotBars('2024-01-01T00:01Z', 3), 'closed')).to.equal(3)
      const newDay = hotBars('2024-01-02T00:00Z', 3)
      const refusal = await failingWith('BAD_CONFIG', () => weak.hot.save(BTC_1M, newDay, 'closed'))
      expect(refusal.message).to.equal('the catalog says: permission denied for schema candlelake')
      expect(refusal.do).to.match(/role of DATABASE_URL/)
    } finally {
      await weak.close()
      await catalog.pool.query(`drop owned by ${role}; drop role ${role}`)
    }
  })

  it('are the same by arrays and by COPY, new rows and replaced ones', async () => {
    const many = hotBars('2024-01-30T12:00Z', COPY_FROM_ROWS + 2_000)
    const few = hotBars('2024-01-31T00:00Z', COPY_FROM_ROWS - 1, 1)
    expect(await catalog.hot.save(BTC_1M, many, 'closed')).to.equal(many.length)
    expect(await catalog.hot.save(BTC_1M, few, 'closed')).to.equal(few.length)
    expect(await catalog.hot.read(YEAR)).to.deep.equal([...many.slice(0, 720), ...few, ...many.slice(720 + few.length)])
    expect(await catalog.hot.save(BTC_1M, many, 'closed')).to.equal(many.length)
    expect(await catalog.hot.read(YEAR)).to.deep.equal(many)
    expect(await partitions()).to.deep.equal(['2024-01-30', '2024-01-31', '2024-02-01'])
  })

  for (const [way, count] of [['arrays', 10], ['COPY', COPY_FROM_ROWS]] as const) {
    it(`by ${way}, an open bar replaces no closed one, nor REST the archive; a better known one does`, async () => {
      const bars = (version: number) => hotBars('2024-01-01T00:00Z', count, version)
      expect(await catalog.hot.save(BTC_1M, bars(1), 'open')).to.equal(count)
      expect(await catalog.hot.read(YEAR), 'bars that are open').to.deep.equal([])
      expect(await catalog.hot.save(BTC_1M, bars(2), 'open')).to.equal(count)
      expect(await catalog.hot.save(BTC_1M, bars(3), 'closed')).to.equal(count)
      expect(await catalog.hot.save(BTC_1M, bars(4), 'open')).to.equal(0)
      expect(await catalog.hot.read(YEAR)).to.deep.equal(bars(3))
      expect(await catalog.hot.save(BTC_1M, bars(5), 'archive')).to.equal(count)
      expect(await catalog.hot.save(BTC_1M, [...bars(6), hotBar(usAt('2024-02-01'))], 'closed')).to.equal(1)
      expect(await catalog.hot.read(YEAR)).to.deep.equal([...bars(5), hotBar(usAt('2024-02-01'))])
      expect(await catalog.hot.delete(YEAR)).to.equal(count + 1)
    })
  }

  it('are all stored or none: a value that Postgres refuses leaves what was there', async () => {
    await catalog.hot.save(BTC_1M, hotBars('2024-01-01T00:00Z', 3), 'closed')
    for (const count of [10, COPY_FROM_ROWS]) {
      const rows = hotBars('2024-01-01T00:00Z', count, 1)
      rows[count - 1] = { ...hotBar(usAt('2024-01-03')), close: 'much' }
      const thrown = await catalog.hot.save(BTC_1M, rows, 'closed').then(() => null, (error: unknown) => error)
      expect(String(thrown)).to.include('much')
      expect(await catalog.hot.read(YEAR)).to.deep.equal(hotBars('2024-01-01T00:00Z', 3))
    }
    expect(catalog.pool.waitingCount + catalog.pool.totalCount - catalog.pool.idleCount, 'connections held').to.equal(0)
  })

  it('a batch with an instant that no year has is refused, and the connection goes on', async () => {
    const many = hotBars('2024-01-30T00:00Z', COPY_FROM_ROWS)
    const wrong = [...many.slice(1), { ...hotBar(usAt('2024-01-31T20:00Z')), closeTimeUs: 9_000_000_000_000_000_000n }]
    const thrown = await catalog.hot.save(BTC_1M, wrong, 'closed').then(() => null, (error: unknown) => error)
    expect(String(thrown)).to.include('Invalid time value')
    expect(await catalog.hot.read(YEAR)).to.deep.equal([])
    expect(await catalog.hot.save(BTC_1M, many, 'closed')).to.equal(many.length)
  })

  it('a connection that breaks in the middle of a batch costs the batch whole, and nothing after it', async () => {
    let broken = 0
    for (let round = 0; round < 10; round++) {
      const rows = hotBars('2024-01-01T00:00Z', 20_000, round)
      const saving = catalog.hot.save(BTC_1M, rows, 'closed').then(() => null, (error: unknown) => error)
      await new Promise((resolve) => setTimeout(resolve, 20 + round * 15))
      await catalog.pool.query(`select pg_terminate_backend(pid) from pg_stat_activity
        where query like '%hot_given%' and pid <> pg_backend_pid()`)
      const thrown = await saving
      const [first] = await catalog.hot.read(sliceOf(BTC_1M, usAt('2024-01-01'), usAt('2024-01-01T00:01Z')))
      const last = await catalog.hot.latest(BTC_1M, 1)
      if (thrown === null) expect([first, ...last]).to.deep.equal([rows[0], rows.at(-1)])
      else {
        expect(thrown).to.be.instanceOf(PipelineError).and.have.property('code', 'CATALOG_UNREACHABLE')
        expect([first, ...last]).to.not.include.deep.members([rows[0]]).and.not.include.deep.members([rows.at(-1)])
        broken++
      }
    }
    expect(broken, 'batches that were cut off').to.be.greaterThan(0)
  })

  it('many who store rows of new days at once make each partition once', async () => {
    const days = Array.from({ length: 8 }, (_, n) => `2024-03-${String(1 + (n % 4)).padStart(2, '0')}`)
    await Promise.all(days.map((day, n) =>
      catalog.hot.save({ ...BTC_1M, symbol: `S${n}USDT` }, hotBars(`${day}T23:59Z`, 2), 'closed')))
    expect(await partitions()).to.deep.equal(['2024-03-01', '2024-03-02', '2024-03-03', '2024-03-04', '2024-03-05'])
    const { groups, bytes } = await catalog.hot.stats()
    expect(groups).to.deep.equal([{
      dataset: 'spot-klines', interval: '1m', symbols: 8, rows: 16,
      firstUs: usAt('2024-03-01T23:59Z'), lastUs: usAt('2024-03-05T00:00Z'),
    }])
    expect(bytes).to.be.greaterThan(0)
  })

  it('a row of a day whose partition went away brings it back', async () => {
    await catalog.hot.save(BTC_1M, hotBars('2024-01-01T00:00Z', 1), 'closed')
    await catalog.pool.query('drop table hot_candles_20240101')
    await catalog.hot.save(BTC_1M, hotBars('2024-01-01T00:01Z', 1), 'closed')
    expect(await catalog.hot.read(YEAR)).to.deep.equal([hotBar(usAt('2024-01-01') + MINUTE_US)])
  })
})
