import { expect } from 'chai'
import { Kysely, PostgresDialect, type KyselyPlugin } from 'kysely'
import { hotFeed } from '../../../src/adapters/postgres/hot/hot-feed.js'
import { ListenLink } from '../../../src/adapters/postgres/hot/listen-link.js'
import { openPool } from '../../../src/adapters/postgres/pool.js'
import type { FeedEvent } from '../../../src/domain/ports/hot-feed.js'
import { until } from '../../support/cli.js'
import { BTC_1M, hotBar, hotBars, MINUTE_US, usAt } from '../../support/hot-candles.js'
import { openFresh, type Opened } from './catalog-fixture.js'

const T0 = '2024-01-01T00:00Z'
const NAME = 'raced'

describe('a subscription whose questions take their time', () => {
  let catalog: Opened
  let opened: ReturnType<typeof openPool>
  let asked: ReturnType<typeof holdableHeads>
  let feed: ReturnType<typeof hotFeed>

  beforeEach(async () => {
    catalog = await openFresh()
    const o = { connection: catalog.connection, maxConnections: 4, applicationName: NAME, schema: 'candlelake' }
    opened = openPool(o)
    asked = holdableHeads()
    const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: opened.pool }) }).withPlugin(asked.plugin)
    feed = hotFeed({ ...o, ...opened, db })
  })
  afterEach(async () => {
    asked.release()
    await feed.close()
    await opened.pool.end()
    await catalog.drop()
  })

  const listeners = async (): Promise<number> => {
    const { rows } = await catalog.pool.query<{ n: number }>(
      `select count(*)::int as n from pg_stat_activity where query ilike 'listen%' and datname = current_database()`)
    return rows[0]?.n ?? 0
  }
  const cut = async (): Promise<number | null> => {
    const { rowCount } = await catalog.pool.query(`select pg_terminate_backend(pid) from pg_stat_activity
      where query ilike 'listen%' and datname = current_database()`)
    return rowCount
  }

  it('a change that is told of while it asks where the series is, is none of another database', async () => {
    const events: FeedEvent[] = []
    const subscription = await feed.subscribe(BTC_1M, (event) => void events.push(event))
    await catalog.hot.save(BTC_1M, hotBars(T0, 1), 'closed')
    await until('a row', () => events.length === 1)
    asked.hold()
    expect(await cut(), 'connections cut').to.equal(1)
    await until('an answer on its way', () => asked.held() === 1)
    await catalog.hot.save(BTC_1M, [hotBar(usAt(T0) + MINUTE_US)], 'closed')
    await until('the row that was told of', () => events.length === 2)
    asked.release()
    await until('healing', () => events.some(({ type }) => type === 'healed'))
    await catalog.hot.save(BTC_1M, [hotBar(usAt(T0) + 2n * MINUTE_US)], 'closed')
    await until('the next row', () => events.length >= 4)
    expect(events.map(({ type, cursor }) => [type, cursor.split('.')[0]])).to.deep.equal([
      ['candles', '1'], ['candles', '2'], ['healed', '2'], ['candles', '3'],
    ])
    await subscription.close()
  })

  it('a signal that comes during its first look ends it', async () => {
    const stop = new AbortController()
    asked.hold()
    const subscribing = feed.subscribe(BTC_1M, () => undefined, { signal: stop.signal })
      .then(() => 'subscribed', (thrown: unknown) => thrown)
    // The first question is the connection's own, the second the subscription's.
    await until('the first answer', () => asked.held() === 1)
    asked.release()
    asked.hold()
    await until('the second answer', () => asked.held() === 1)
    stop.abort(new Error('enough'))
    asked.release()
    expect(await subscribing).to.have.property('message', 'enough')
    await until('the connection to be closed', async () => (await listeners()) === 0)
  })

  it('a connection that is closed while it is being made anew leaves none behind', async () => {
    const closing: Promise<void>[] = []
    const link: ListenLink = new ListenLink({
      ...opened, connection: catalog.connection, applicationName: NAME, channel: 'raced',
      onNote: () => undefined, onUp: () => Promise.resolve(),
      onDown: () => void closing.push(link.close()),
    })
    await link.start()
    expect(await cut(), 'connections cut').to.equal(1)
    await until('its loss to be seen', () => closing.length === 1)
    await Promise.all(closing)
    await until('no connection that listens', async () => (await listeners()) === 0, 2_000)
  })
})

/** Holds back answers to "where is the series" on their way from the database. */
function holdableHeads() {
  let isHeld = false
  let waiting: (() => void)[] = []
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      if (isHeld && result.rows.some((row) => 'changes' in row)) await new Promise<void>((go) => waiting.push(go))
      return result
    },
  }
  return {
    plugin,
    hold: () => {
      isHeld = true
    },
    held: () => waiting.length,
    release: () => {
      isHeld = false
      for (const go of waiting.splice(0)) go()
      waiting = []
    },
  }
}
