import { expect } from 'chai'
import { openExchange } from '../../../src/adapters/binance/exchange-client.js'
import type { FaultRule } from '../../../src/archive-server/fault-rule.js'
import { writeKlineFile } from '../../../src/archive-server/kline-file.js'
import { startArchiveServer, type ArchiveServer } from '../../../src/archive-server/server.js'
import { syntheticCandles } from '../../../src/archive-server/synthetic-candles.js'
import type { PipelineError } from '../../../src/domain/errors.js'
import type { ExchangeAnswer } from '../../../src/domain/ports/observe.js'
import { syncEach, syncHot } from '../../../src/lake/sync-hot.js'
import { BTC_1M, MINUTE_US, usAt } from '../../support/hot-candles.js'
import { tinyServer } from '../../support/tiny-server.js'
import { tempFolder } from '../../support/temp-folder.js'
import { openFresh, type Opened } from '../postgres/catalog-fixture.js'

const at = (text: string): number => Date.parse(text)

describe('sync of hot rows from the exchange', () => {
  let catalog: Opened
  let server: ArchiveServer
  let home: Awaited<ReturnType<typeof tempFolder>>
  let exchange: ReturnType<typeof openExchange>
  let nowMs = 0

  before(async () => {
    home = await tempFolder()
    const days = { seed: 3, stepMs: 60_000, unit: 'us' } as const
    for (const [label, from, to] of [['2025-01', '2025-01-30', '2025-02-01'], ['2025-02', '2025-02-01', '2025-02-05']] as const) {
      const rows = syntheticCandles({ ...days, fromMs: at(from), toMs: at(to) })
      const file = { root: home.path, market: 'spot', period: 'monthly', symbol: 'BTCUSDT', interval: '1m' } as const
      await writeKlineFile({ ...file, label, rows })
    }
    server = await startArchiveServer({ root: home.path, now: () => nowMs })
  })
  after(async () => {
    await server.close()
    await home.remove()
  })

  beforeEach(async () => {
    nowMs = at('2025-02-02T00:00:30Z')
    server.faults.clear()
    server.faults.reset()
    server.requests.length = 0
    exchange = openExchange({ exchangeUrl: server.url, userAgent: 'test', patienceMs: 5_000 })
    catalog = await openFresh()
  })
  afterEach(async () => {
    await exchange.close()
    await catalog.drop()
  })

  const sync = (fromUs: bigint | null = null, signal = new AbortController().signal) =>
    syncHot({ hot: catalog.hot, exchange, hotDays: 2 }, BTC_1M, { fromUs, signal })
  const newest = async () => (await catalog.hot.latest(BTC_1M, 1))[0]?.openTimeUs
  const code = (work: Promise<unknown>) => work.then(() => null, (error: unknown) => (error as { code?: unknown }).code)
  const provoke = async (rule: FaultRule) => {
    server.faults.set(rule)
    const startedMs = performance.now()
    const outcome = await sync().then(({ rows }) => rows, (error: unknown) => (error as { code?: unknown }).code)
    return { outcome, ms: performance.now() - startedMs }
  }

  it('begins HOT_DAYS ago, takes closed candles only, and goes on after the newest row', async () => {
    const first = await sync()
    expect(first).to.deep.include({ rows: 2_880, stored: 2_880, firstUs: usAt('2025-01-31'), lastUs: usAt('2025-02-01T23:59Z') })
    expect(await sync()).to.deep.include({ rows: 0, stored: 0 })
    nowMs = at('2025-02-02T00:02:59Z')
    expect(await sync()).to.deep.include({ rows: 2, lastUs: usAt('2025-02-02T00:01Z') })
    const [row] = await catalog.hot.latest(BTC_1M, 1)
    expect(row?.closeTimeUs, 'as the archive will have it').to.equal(usAt('2025-02-02T00:02Z') - 1n)
    expect(row?.volume, 'a candle that was open').to.not.equal('0.00000000')
  })

  it('never stores the candle that is open, nor one that has only just ended, with a clock of ours that is ahead', async () => {
    for (let second = 55; second < 65; second++) {
      nowMs = at('2025-02-02T00:00:00Z') + second * 1_000 + 500
      await sync()
      const wanted = second < 62 ? usAt('2025-02-01T23:59Z') : usAt('2025-02-02T00:00Z')
      expect(await newest(), `second ${second}`).to.equal(wanted)
    }
  })

  it('begins where it is told', async () => {
    expect(await sync(usAt('2025-02-01T12:00Z'))).to.deep.include({ rows: 720, firstUs: usAt('2025-02-01T12:00Z') })
  })

  it('what is stopped goes on where it was', async () => {
    server.faults.set({ latencyMs: 200 })
    const stop = new AbortController()
    const syncing = sync(null, stop.signal)
    setTimeout(() => stop.abort(), 700)
    await syncing.catch(() => undefined)
    server.faults.clear()
    const stored = await catalog.hot.latest(BTC_1M, 5_000)
    expect(stored.length % 1_000).to.equal(0)
    expect(stored.length).to.be.within(1_000, 2_000)
    await sync()
    const all = await catalog.hot.latest(BTC_1M, 5_000)
    expect(all.map(({ openTimeUs }) => openTimeUs)).to.deep.equal(
      Array.from({ length: 2_880 }, (_, n) => usAt('2025-01-31') + BigInt(n) * MINUTE_US))
  })

  it('waits as long as 429 asks for, then goes on', async () => {
    const { outcome, ms } = await provoke({ match: '/klines', tooManyRequests: { count: 1, retryAfterSeconds: 1 } })
    expect(outcome).to.equal(2_880)
    expect(ms).to.be.greaterThan(1_000)
    expect(server.faults.counts.tooManyRequests).to.equal(1)
  })

  it('tells of every request that was sent, its answer and its weight, and of none that was not', async () => {
    const told: ExchangeAnswer[] = []
    await exchange.close()
    exchange = openExchange({
      exchangeUrl: server.url, userAgent: 'test', patienceMs: 5_000, onAnswer: (answer) => void told.push(answer),
    })
    server.faults.set({ match: '/klines', tooManyRequests: { count: 1, retryAfterSeconds: 1 } })
    await sync()
    server.faults.clear()
    expect(told.map(({ status }) => status)).to.deep.equal([200, 429, 200, 200, 200])
    expect(told[4]?.weightLimit).to.equal(4_800)
    const weights = told.flatMap(({ usedWeight }) => (usedWeight === null ? [] : [usedWeight]))
    expect(weights).to.have.length.above(3)
    for (const weight of weights) expect(weight).to.be.within(1, 100_000)
    told.length = 0
    server.faults.reset()
    expect((await provoke({ match: '/klines', dropFrom: 0, times: 1 })).outcome).to.equal(0)
    expect(server.faults.counts.dropFrom).to.equal(1)
    expect(told.map(({ status }) => status), 'no answer, then one').to.deep.equal([null, 200])
    told.length = 0
    server.faults.reset()
    expect((await provoke({ match: '/klines', bannedSeconds: 60, times: 1 })).outcome).to.equal('EXCHANGE_BANNED')
    expect(await code(sync())).to.equal('EXCHANGE_BANNED')
    expect(told.map(({ status }) => status), 'one request, and none during the ban').to.deep.equal([418])
  })

  it('says so when 429 asks for more patience than it has', async () => {
    const { outcome } = await provoke({ match: '/klines', tooManyRequests: { count: 1, retryAfterSeconds: 60 } })
    expect(outcome).to.equal('EXCHANGE_BUSY')
    const asked = server.requests.length
    server.faults.clear()
    expect(await code(sync())).to.equal('EXCHANGE_BUSY')
    expect(server.requests.length, 'requests within the pause').to.equal(asked)
  })

  it('418 ends everything that asks, without another request', async () => {
    const { outcome } = await provoke({ match: '/klines', bannedSeconds: 60, times: 1 })
    expect(outcome).to.equal('EXCHANGE_BANNED')
    const asked = server.requests.length
    expect(await code(sync(usAt('2025-02-01')))).to.equal('EXCHANGE_BANNED')
    expect(server.requests.length).to.equal(asked)
  })

  it('a ban of three days is one of three days', async () => {
    await provoke({ match: '/klines', bannedSeconds: 3 * 86_400, times: 1 })
    const thrown = await sync().then(() => null, (error: unknown) => error as PipelineError)
    expect(thrown?.code).to.equal('EXCHANGE_BANNED')
    expect(thrown?.retryAfterMs).to.be.within(2.9 * 86_400_000, 3 * 86_400_000)
  })

  it('403 is the firewall: nothing more is asked for a while, and it is said why', async () => {
    server.faults.set({ match: '/klines', errorRate: 1, errorStatus: 403 })
    const thrown = await sync().then(() => null, (error: unknown) => error as PipelineError)
    expect([thrown?.code, thrown?.retryAfterMs]).to.deep.equal(['EXCHANGE_BUSY', 300_000])
    expect(String(thrown)).to.include('firewall')
    const asked = server.requests.length
    server.faults.clear()
    expect(await code(sync())).to.equal('EXCHANGE_BUSY')
    expect(server.requests.length, 'requests within the pause').to.equal(asked)
  })

  it('ends when the answer is not of the time that was asked for, as behind a proxy that drops the query', async () => {
    const openMs = at('2025-01-31T00:00Z')
    const row = ['1', '1', '1', '1', '1', null, '1', 1, '1', '1', '0']
    const page = Array.from({ length: 1_000 }, (_, n) => [openMs + n * 60_000, ...row].map((v) => v ?? openMs + n * 60_000 + 59_999))
    let asked = 0
    const proxy = await tinyServer((_, res) => {
      asked++
      res.setHeader('date', new Date(asked < 20 ? nowMs : 0).toUTCString())
      res.end(JSON.stringify(page))
    })
    const behind = openExchange({ exchangeUrl: proxy.url, userAgent: 'test' })
    try {
      const o = { fromUs: usAt('2025-01-31'), signal: new AbortController().signal }
      expect(await code(syncHot({ hot: catalog.hot, exchange: behind, hotDays: 2 }, BTC_1M, o))).to.equal('EXCHANGE_UNREACHABLE')
      expect(asked).to.equal(2)
    } finally {
      await behind.close()
      await proxy.close()
    }
  })

  it('without a Date the newest candle is open, however pages are ordered, and they are read to their end', async () => {
    const [fromMs, count] = [at('2025-01-31T00:00Z'), 2_500]
    const row = (n: number) => [fromMs + n * 60_000, '1', '1', '1', '1', '1', fromMs + n * 60_000 + 59_999, '1', 1, '1', '1', '0']
    const proxy = await tinyServer((req, res) => {
      const fromAsked = Number(new URL(req.url ?? '', 'http://x').searchParams.get('startTime'))
      const first = Math.ceil((fromAsked - fromMs) / 60_000)
      const page = Array.from({ length: Math.min(999, count - first) }, (_, n) => row(first + n))
      res.sendDate = false
      res.end(JSON.stringify([...page.slice(-1), ...page.reverse()]))
    })
    const behind = openExchange({ exchangeUrl: proxy.url, userAgent: 'test' })
    try {
      const o = { fromUs: usAt('2025-01-31'), signal: new AbortController().signal }
      const { rows } = await syncHot({ hot: catalog.hot, exchange: behind, hotDays: 2 }, BTC_1M, o)
      expect(rows).to.equal(count - 1)
      expect(await newest()).to.equal(usAt('2025-01-31') + BigInt(count - 2) * MINUTE_US)
    } finally {
      await behind.close()
      await proxy.close()
    }
  })

  it('451 is told with what to do, and is not tried again', async () => {
    const { outcome } = await provoke({ match: '/klines', restricted: true })
    expect(outcome).to.equal('EXCHANGE_RESTRICTED')
    expect(server.faults.counts.restricted).to.equal(1)
  })

  it('pauses until the minute is over when much of its weight is used', async () => {
    nowMs = at('2025-02-02T00:00:58.500Z')
    const { outcome, ms } = await provoke({ match: '/klines', usedWeight: 5_000, times: 1 })
    expect(outcome).to.equal(2_880)
    expect(ms).to.be.within(1_500, 5_000)
  })

  it('survives resets, failures and pages that are none of the exchange', async () => {
    const rules: FaultRule[] = [{ dropFrom: 0 }, { dropFrom: 500 }, { errorRate: 1 }, { truncate: true }, { htmlPage: true }]
    for (const rule of rules) {
      await catalog.hot.delete({ ...BTC_1M, fromUs: 0n, toUs: usAt('2030-01-01') })
      expect((await provoke({ match: '/klines', times: 2, ...rule })).outcome, JSON.stringify(rule)).to.equal(2_880)
    }
  })

  it('a symbol that is refused keeps no other from its candles; what holds for all ends the walk', async () => {
    const walk = async (exchangeUrl: string): Promise<string[]> => {
      const asked = openExchange({ exchangeUrl, userAgent: 'test', patienceMs: 5_000 })
      const ended: string[] = []
      try {
        const ports = { hot: catalog.hot, exchange: asked, hotDays: 2 }
        const o = { fromUs: usAt('2025-01-31'), signal: new AbortController().signal }
        for await (const one of syncEach(ports, [{ ...BTC_1M, symbol: 'NOPEUSDT' }, BTC_1M], o)) {
          ended.push(`${one.series.symbol} ${'refusal' in one ? one.refusal.code : one.rows}`)
        }
      } catch (thrown) {
        ended.push((thrown as PipelineError).code)
      } finally {
        await asked.close()
      }
      return ended
    }
    expect(await walk(server.url)).to.deep.equal(['NOPEUSDT EXCHANGE_REFUSED', 'BTCUSDT 2880'])
    expect(await walk(`${server.url}/elsewhere`), 'a 404').to.deep.equal(['EXCHANGE_REFUSED'])
  })

  it('names a symbol or a market that the exchange does not have', async () => {
    const ports = { hot: catalog.hot, exchange, hotDays: 2 }
    const o = { fromUs: null, signal: new AbortController().signal }
    const refused = await syncHot(ports, { ...BTC_1M, symbol: 'NOPEUSDT' }, o).catch((error: unknown) => error as PipelineError)
    expect(refused).to.have.property('code', 'EXCHANGE_REFUSED')
    expect(refused).to.have.nested.property('facts.at').that.includes('symbol=NOPEUSDT&interval=1m')
    expect(await code(syncHot(ports, { ...BTC_1M, dataset: 'um-klines' }, o))).to.equal('BAD_MARKET')
  })
})
