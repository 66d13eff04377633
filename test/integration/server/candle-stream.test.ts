import { expect } from 'chai'
import { request, type IncomingMessage } from 'node:http'
import { openCatalog } from '../../../src/adapters/postgres/connect.js'
import type { Listening } from '../../../src/server/listen.js'
import { startServer, type ServerOptions } from '../../../src/server/start-server.js'
import { ask, basic } from '../../support/ask.js'
import { until } from '../../support/cli.js'
import { BTC_1M, hotBar, hotBars, MINUTE_US, usAt } from '../../support/hot-candles.js'
import { startServer as startPostgres } from '../../support/postgres.js'
import { keptLog, serverParts } from '../../support/server-parts.js'
import { openFresh, type Opened } from '../postgres/catalog-fixture.js'

const PATH = '/api/candles/spot-klines/BTCUSDT/1m'
const T0 = '2024-01-01T00:00Z'

type Told = { readonly event: string; readonly id: string; readonly data: Record<string, unknown> }

/** A client that reads events as the standard says, and may stop reading. */
async function follow(url: string, headers: Record<string, string> = {}) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, { headers, agent: false }, resolve).on('error', reject).end()
  })
  let text = ''
  let ended = false
  response.setEncoding('utf8').on('data', (piece: string) => (text += piece)).on('error', () => undefined)
  response.on('close', () => (ended = true))
  const blocks = () => text.split('\n\n').slice(0, -1)
  const field = (block: string, name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? ''
  return {
    response,
    ids: () => blocks().map((block) => field(block, 'id')).filter((id) => id !== ''),
    comments: () => blocks().filter((block) => block.startsWith(':')).length,
    ended: () => ended,
    told: (): Told[] => blocks().filter((block) => /^data: /m.test(block)).map((block) => ({
      event: field(block, 'event'), id: field(block, 'id'), data: JSON.parse(field(block, 'data')) as Record<string, unknown>,
    })),
    leave: () => void response.destroy(),
  }
}

describe('server: candles as they come', () => {
  let catalog: Opened
  const servers: Listening[] = []

  beforeEach(async () => {
    catalog = await openFresh()
  })
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()))
    await catalog.drop()
  })

  const start = async (some: Partial<ServerOptions> = {}): Promise<Listening> => {
    const server = await startServer(serverParts({ subscribe: (...wanted) => catalog.feed.subscribe(...wanted), ...some }))
    servers.push(server)
    return server
  }

  it('tells of candles and corrections, and goes on at Last-Event-ID', async () => {
    await catalog.hot.save(BTC_1M, hotBars(T0, 5), 'closed')
    const { url } = await start()
    const first = await follow(`${url}${PATH}?last=2`)
    expect([first.response.statusCode, first.response.headers['content-type'], first.response.headers['cache-control']])
      .to.deep.equal([200, 'text/event-stream; charset=utf-8', 'no-store'])
    await until('the newest', () => first.told().length === 2)
    await catalog.hot.save(BTC_1M, hotBars('2024-01-01T00:05Z', 1), 'closed')
    await until('a new one', () => first.told().length === 3)
    const { event, id, data } = first.told()[2] as Told
    expect([event, id]).to.deep.equal(['candle', `2.${usAt('2024-01-01T00:05Z')}`])
    expect(data).to.include({
      v: 1, type: 'candle', series: 'spot-klines/BTCUSDT/1m', openTime: '2024-01-01T00:05:00.000Z', corrected: false, cursor: id,
    })
    first.leave()
    await catalog.hot.save(BTC_1M, [hotBar(usAt(T0) + MINUTE_US, 4)], 'closed')
    const second = await follow(`${url}${PATH}?last=2`, { 'last-event-id': id })
    await until('what was missed', () => second.told().length === 2)
    expect(second.told().map((one) => [one.event, one.data['openTime'] ?? one.data['rows'], one.data['corrected']]))
      .to.deep.equal([['candle', '2024-01-01T00:01:00.000Z', true], ['healed', 1, undefined]])
    second.leave()
  })

  it('gives a cursor before the first candle, so that nothing is missed by who breaks off before it', async () => {
    await catalog.hot.save(BTC_1M, hotBars(T0, 5), 'closed')
    const { url } = await start()
    const first = await follow(`${url}${PATH}`)
    await until('a cursor', () => first.ids().length === 1)
    expect([first.ids(), first.told()]).to.deep.equal([['1'], []])
    first.leave()
    await catalog.hot.save(BTC_1M, hotBars('2024-01-01T00:05Z', 1), 'closed')
    const second = await follow(`${url}${PATH}`, { 'last-event-id': first.ids()[0] ?? '' })
    await until('what was missed', () => second.told().length === 2)
    expect(second.told().map(({ event }) => event)).to.deep.equal(['candle', 'healed'])
    second.leave()
  })

  it('sends comments while nothing happens, and ends with the server', async () => {
    const server = await start({ streams: { beatMs: 50 } })
    const client = await follow(`${server.url}${PATH}`)
    await until('comments', () => client.comments() >= 3)
    const startedMs = Date.now()
    await server.close()
    await until('the end', () => client.ended())
    expect(Date.now() - startedMs).to.be.below(3_000)
  })

  it('asks for the password as everything else, and refuses what is no series', async () => {
    const credentials = { user: 'operator', password: 'correct horse battery' }
    const { url } = await start({ credentials })
    expect((await ask(url, PATH)).status).to.equal(401)
    const headers = basic('operator', credentials.password)
    const client = await follow(`${url}${PATH}`, headers)
    expect(client.response.statusCode).to.equal(200)
    client.leave()
    const none = ['/api/candles/spot-klines/BTCUSDT/1hr', '/api/candles/x/BTCUSDT/1m']
    for (const path of [...none, `${PATH}?last=x`, `${PATH}?after=x`]) {
      expect((await ask(url, path, { headers })).status, path).to.equal(400)
    }
  })

  it('says that the catalog is down', async () => {
    const postgres = await startPostgres()
    const other = await openCatalog({ connection: postgres.connection, maxConnections: 2, applicationName: 'test' })
    const { url } = await start({ subscribe: (...wanted) => other.feed.subscribe(...wanted) })
    await postgres.crash()
    expect((await ask(url, PATH)).status).to.equal(503)
    await other.close()
    await postgres.stop()
  })

  it('opens no more streams than it may, and takes another when one has gone', async () => {
    const { url } = await start({ streams: { most: 2 } })
    const [one, two] = [await follow(`${url}${PATH}`), await follow(`${url}${PATH}`)]
    expect((await ask(url, PATH)).status).to.equal(503)
    one.leave()
    await until('room', async () => {
      const next = await follow(`${url}${PATH}`)
      next.leave()
      return next.response.statusCode === 200
    })
    two.leave()
  })

  it('a client that takes nothing is told so by code, costs no memory, and misses nothing when it comes again', async () => {
    const log = keptLog()
    const { url } = await start({ log, streams: { slowMs: 500 } })
    const slow = await follow(`${url}${PATH}`)
    slow.response.pause()
    const days = 20
    for (let day = 1; day <= days; day++) {
      await catalog.hot.save(BTC_1M, hotBars(`2024-01-${String(day).padStart(2, '0')}T00:00Z`, 1_440), 'closed')
    }
    await until('the stream to be ended', () => log.lines.some(({ event }) => event === 'stream.ended'))
    expect(log.lines.find(({ event }) => event === 'stream.ended')?.fields).to.include({ code: 'SUBSCRIBER_SLOW' })
    slow.response.resume()
    await until('its end', () => slow.ended())
    const told = slow.told()
    expect(told.at(-1)?.data).to.deep.equal({ v: 1, type: 'error', code: 'SUBSCRIBER_SLOW' })
    expect(told.length).to.be.below(days * 1_440)
    const again = await follow(`${url}${PATH}`, { 'last-event-id': told.at(-2)?.id ?? '' })
    await until('the rest', () => again.told().at(-1)?.event === 'healed')
    const times = [...told, ...again.told()].flatMap(({ event, data }) => (event === 'candle' ? [data['openTime']] : []))
    expect([times.length, new Set(times).size]).to.deep.equal([days * 1_440, days * 1_440])
    again.leave()
  })
})
