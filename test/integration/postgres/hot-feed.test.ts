import { expect } from 'chai'
import { openCatalog, type Catalog } from '../../../src/adapters/postgres/connect.js'
import type { FeedEvent, SubscribeOptions, Subscription } from '../../../src/domain/ports/hot-feed.js'
import { sliceOf } from '../../../src/domain/slice.js'
import { BTC_1M, hotBar, hotBars, MINUTE_US, usAt } from '../../support/hot-candles.js'
import { until } from '../../support/cli.js'
import { openSilentPooler } from '../../support/silent-pooler.js'
import { openStallingProxy } from '../../support/stalling-proxy.js'
import { startServer } from '../../support/postgres.js'
import { openFresh, type Opened } from './catalog-fixture.js'

const T0 = '2024-01-01T00:00Z'

describe('a subscription to hot rows', () => {
  let catalog: Opened
  let open: Subscription[] = []

  beforeEach(async () => {
    catalog = await openFresh()
  })

  afterEach(async () => {
    await Promise.all(open.map((one) => one.close()))
    open = []
    await catalog.drop()
  })

  const follow = async (o: SubscribeOptions = {}, from: Pick<Catalog, 'feed'> = catalog) => {
    const events: FeedEvent[] = []
    const subscription = await from.feed.subscribe(BTC_1M, (event) => void events.push(event), o)
    open.push(subscription)
    const candles = () => events.flatMap((event) => (event.type === 'candles' ? event.candles : []))
    const closes = () => candles().map((row) => [row.openTimeUs, row.close, row.corrected])
    return { events, candles, subscription, closes }
  }
  const told = (from: string, count: number, version = 0, corrected = false) =>
    hotBars(from, count, version).map((row) => [row.openTimeUs, row.close, corrected])

  it('gives new rows and corrected ones, once each, and nothing else', async () => {
    await catalog.hot.save(BTC_1M, hotBars('2023-12-31T23:00Z', 5), 'closed')
    const { closes } = await follow()
    await catalog.hot.save({ ...BTC_1M, symbol: 'ETHUSDT' }, hotBars(T0, 3), 'closed')
    await catalog.hot.save(BTC_1M, hotBars(T0, 3), 'closed')
    await catalog.hot.save(BTC_1M, hotBars('2024-01-01T00:03Z', 1), 'open')
    await catalog.hot.save(BTC_1M, hotBars('2024-01-01T00:03Z', 1, 1), 'open')
    await catalog.hot.save(BTC_1M, hotBars('2024-01-01T00:03Z', 1, 1), 'closed')
    await catalog.hot.save(BTC_1M, hotBars(T0, 3), 'archive')
    await until('four rows', () => closes().length === 4)
    await catalog.hot.save(BTC_1M, [hotBar(usAt(T0)), hotBar(usAt(T0) + MINUTE_US, 7)], 'archive')
    await until('five rows', () => closes().length >= 5)
    expect(closes()).to.deep.equal([
      ...told(T0, 3), ...told('2024-01-01T00:03Z', 1, 1), ...told('2024-01-01T00:01Z', 1, 7, true),
    ])
  })

  it('gives a month that came at once in pages, by a listener that takes its time', async () => {
    const rows = hotBars('2024-01-01T00:00Z', 10_000)
    const sizes: number[] = []
    const subscription = await catalog.feed.subscribe(BTC_1M, async (event) => {
      if (event.type === 'candles') sizes.push(event.candles.length)
      await new Promise((resolve) => setTimeout(resolve, 20))
    })
    open.push(subscription)
    await catalog.hot.save(BTC_1M, rows, 'closed')
    await until('all rows', () => sizes.reduce((sum, n) => sum + n, 0) === 10_000)
    expect(Math.max(...sizes)).to.be.at.most(2_000)
    await until('the cursor', () => subscription.cursor === '1')
  })

  it('begins with the newest rows, and goes on at a cursor with what was missed, corrections too', async () => {
    await catalog.hot.save(BTC_1M, hotBars(T0, 10), 'closed')
    const first = await follow({ last: 3 })
    await until('the newest rows', () => first.candles().length === 3)
    expect(first.closes()).to.deep.equal(told('2024-01-01T00:07Z', 3))
    const cursor = first.subscription.cursor
    await first.subscription.close()
    expect(await first.subscription.ended).to.equal(null)
    await catalog.hot.save(BTC_1M, hotBars('2024-01-05T00:00Z', 2), 'closed')
    await catalog.hot.save(BTC_1M, [hotBar(usAt(T0) + MINUTE_US, 5)], 'closed')
    await catalog.hot.delete(sliceOf(BTC_1M, usAt('2024-01-05T00:01Z'), usAt('2024-01-06')))
    const second = await follow({ after: cursor })
    await until('the end of what was missed', () => second.events.at(-1)?.type === 'healed')
    expect(second.closes()).to.deep.equal([...told('2024-01-05T00:00Z', 1), ...told('2024-01-01T00:01Z', 1, 5, true)])
    expect(second.events.at(-1)).to.deep.equal({ type: 'healed', awayMs: null, rows: 2, cursor: '3' })
    expect(first.closes(), 'told after its end').to.have.length(3)
  })

  it('goes on in the middle of a change', async () => {
    await catalog.hot.save(BTC_1M, hotBars(T0, 4), 'closed')
    const { closes } = await follow({ after: `1.${usAt('2024-01-01T00:01Z')}` })
    await until('the rest', () => closes().length === 2)
    expect(closes()).to.deep.equal(told('2024-01-01T00:02Z', 2))
  })

  it('says so when its cursor is ahead of the database', async () => {
    await catalog.hot.save(BTC_1M, hotBars(T0, 4), 'closed')
    const { events, closes } = await follow({ after: '7' })
    await catalog.hot.save(BTC_1M, hotBars('2024-01-01T00:04Z', 1), 'closed')
    await until('a row', () => closes().length === 1)
    expect(events[0]).to.deep.equal({ type: 'restarted', cursor: '1' })
  })

  it('of writers at once, whichever commits last, every row comes once and in the order of commits', async () => {
    const { candles } = await follow()
    await Promise.all(Array.from({ length: 60 }, (_, n) =>
      catalog.hot.save(BTC_1M, [hotBar(usAt(T0) + BigInt(n) * MINUTE_US)], 'closed')))
    await until('all rows', () => candles().length >= 60)
    expect(new Set(candles().map((row) => row.openTimeUs)).size).to.equal(60)
    const numbers = candles().map(({ cursor }) => Number(cursor.split('.')[0]))
    expect(numbers).to.deep.equal(Array.from({ length: 60 }, (_, n) => n + 1))
  })

  it('ends with what its listener throws, and with its signal', async () => {
    const wrong = new Error('the listener is wrong')
    const one = await catalog.feed.subscribe(BTC_1M, () => Promise.reject(wrong))
    const stop = new AbortController()
    const two = await follow({ signal: stop.signal })
    await catalog.hot.save(BTC_1M, hotBars(T0, 1), 'closed')
    expect(await one.ended).to.equal(wrong)
    await until('a row', () => two.candles().length === 1)
    stop.abort()
    expect(await two.subscription.ended).to.equal(null)
    await until('the connection that listened to be closed', async () => (await listeners(catalog)) === 0)
  })

  it('refuses a cursor that is none', async () => {
    for (const after of ['x', '', '-1', '1.', '1.999999999999999999', '1'.repeat(16)]) {
      expect(await codeOf(follow({ after })), after).to.equal('BAD_USAGE')
    }
    expect(await codeOf(follow({ last: 1_001 }))).to.equal('BAD_USAGE')
    expect(await listeners(catalog)).to.equal(0)
  })
})

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(() => null, (error: unknown) => (error as { code?: unknown }).code)

const listeners = async ({ pool }: Catalog): Promise<number> => {
  const { rows } = await pool.query<{ n: number }>(
    `select count(*)::int as n from pg_stat_activity where query like 'listen%' and datname = current_database()`)
  return rows[0]?.n ?? 0
}

const cutListener = async ({ pool }: Catalog): Promise<number | null> => {
  const { rowCount } = await pool.query(`select pg_terminate_backend(pid) from pg_stat_activity
    where query like 'listen%' and datname = current_database()`)
  return rowCount
}

describe('a subscription through trouble', () => {
  it('heals what was missed while its connection was gone, corrections too', async () => {
    const catalog = await openFresh()
    const events: FeedEvent[] = []
    const states: string[] = []
    const subscription = await catalog.feed.subscribe(BTC_1M, (event) => void events.push(event), {
      onState: (state) => states.push(state),
    })
    try {
      await catalog.hot.save(BTC_1M, hotBars(T0, 2), 'closed')
      await until('rows', () => events.length === 1)
      expect(await cutListener(catalog), 'connections cut').to.equal(1)
      await catalog.hot.save(BTC_1M, [hotBar(usAt(T0), 3), hotBar(usAt(T0) + 2n * MINUTE_US)], 'closed')
      await until('healing', () => events.some(({ type }) => type === 'healed'))
      await catalog.hot.save(BTC_1M, [hotBar(usAt(T0) + 3n * MINUTE_US)], 'closed')
      const rows = () => events.flatMap((event) => (event.type === 'candles' ? event.candles : []))
      await until('a row after it', () => rows().length === 5)
      expect(rows().slice(2).map((row) => [row.openTimeUs - usAt(T0), row.corrected])).to.deep.equal([
        [0n, true], [2n * MINUTE_US, false], [3n * MINUTE_US, false],
      ])
      expect(states).to.deep.equal(['away', 'live'])
    } finally {
      await subscription.close()
      await catalog.drop()
    }
  })

  it('one whose onState throws ends, and takes nobody else with it', async () => {
    const catalog = await openFresh()
    const events: FeedEvent[] = []
    const wrong = new Error('onState is wrong')
    const thrower = await catalog.feed.subscribe({ ...BTC_1M, symbol: 'ETHUSDT' }, () => undefined, {
      onState: () => {
        throw wrong
      },
    })
    const other = await catalog.feed.subscribe(BTC_1M, (event) => void events.push(event))
    try {
      expect(await cutListener(catalog), 'connections cut').to.equal(1)
      await until('healing', () => events.some(({ type }) => type === 'healed'))
      expect(await thrower.ended).to.equal(wrong)
      await catalog.hot.save(BTC_1M, hotBars(T0, 1), 'closed')
      await until('a row after it', () => events.some(({ type }) => type === 'candles'))
    } finally {
      await other.close()
      await catalog.drop()
    }
  })

  it('goes on where all connections died without a word', async () => {
    const server = await startServer()
    const proxy = await openStallingProxy(server.connection)
    const catalog = await openCatalog({ connection: proxy.connection, maxConnections: 4, applicationName: 'test' })
    const direct = await openCatalog({ connection: server.connection, maxConnections: 4, applicationName: 'test' })
    const events: FeedEvent[] = []
    const subscription = await catalog.feed.subscribe(BTC_1M, (event) => void events.push(event))
    try {
      await direct.hot.save(BTC_1M, hotBars(T0, 1), 'closed')
      await until('a row', () => events.length === 1)
      expect(proxy.stall(), 'connections stalled').to.be.at.least(2)
      const stalledMs = Date.now()
      await direct.hot.save(BTC_1M, [hotBar(usAt(T0) + MINUTE_US)], 'closed')
      await until('healing', () => events.some(({ type }) => type === 'healed'), 55_000)
      // An echo each 5 s, 5 s for it to come, and as long for a connection to be made.
      expect(Date.now() - stalledMs).to.be.below(16_000)
      expect(events.map(({ type }) => type)).to.deep.equal(['candles', 'candles', 'healed'])
      // Not since it was noticed.
      expect(events.at(-1)).to.have.property('awayMs').that.is.within(5_000, 16_000)
    } finally {
      await subscription.close()
      await Promise.all([catalog.close(), direct.close()])
      await proxy.close()
      await server.stop()
    }
  })

  it('is refused where notifications are swallowed, as by a pooler in transaction mode', async () => {
    const server = await startServer()
    const pooler = await openSilentPooler(server.connection)
    const catalog = await openCatalog({ connection: pooler.connection, maxConnections: 4, applicationName: 'test' })
    try {
      const thrown = await catalog.feed.subscribe(BTC_1M, () => undefined).then(() => null, (error: unknown) => error)
      expect(thrown).to.have.property('code', 'BAD_CONFIG')
      expect(String(thrown)).to.include('pooler in transaction mode')
      expect(pooler.swallowed, 'notifications swallowed').to.be.greaterThan(0)
    } finally {
      await catalog.close()
      await pooler.close()
      await server.stop()
    }
  })
})
