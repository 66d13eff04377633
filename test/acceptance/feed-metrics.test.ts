import { expect } from 'chai'
import { request } from 'node:http'
import { ask } from '../support/ask.js'
import { printed, runCli, startCli, temporaryHome, until, type Home } from '../support/cli.js'
import { askEmbedded } from '../support/embedded.js'
import { serveExchange, type TestExchange } from '../support/exchange.js'

describe('acceptance: metrics of hot rows and of the feed', function () {
  this.timeout(240_000)
  let exchange: TestExchange
  let home: Home

  before(async () => {
    exchange = await serveExchange('2025-02-02T00:00:30Z')
    const env = { EXCHANGE_URL: exchange.url, HOT_DAYS: '1', METRICS_PORT: '0', SERVER_PORT: '0' }
    home = await temporaryHome(env, { up: true })
  })
  after(async () => {
    await home.remove()
    await exchange.close()
  })

  /** A series of a scrape by its name and labels; null where it is missing. */
  const metricOf = async (url: string, series: string): Promise<number | null> => {
    const { text } = await ask(url, '/metrics')
    const line = text.split('\n').find((one) => one.startsWith(`${series} `))
    return line === undefined ? null : Number(line.slice(series.length + 1))
  }
  const schedule = async (...args: string[]): Promise<void> => {
    const ended = await runCli(['schedule', ...args], home.env)
    expect(ended.code, ended.stderr).to.equal(0)
  }

  it('schedule run counts what it asks and stores; the server knows how much is hot, and how far behind', async () => {
    const server = startCli(['server'], home.env)
    const [, serverUrl = ''] = await printed(server, /(http:\/\/127\.0\.0\.1:\d+)/)
    expect(await metricOf(serverUrl, 'candlelake_hot_days')).to.equal(0)
    expect(await metricOf(serverUrl, 'candlelake_feed_lag_seconds'), 'nothing is to be brought').to.equal(null)
    await schedule('add', 'tail', '--symbols', 'BTCUSDT,NOTTHERE', '--intervals', '1m', '--cron', '* * * * * *')
    const empty = 'candlelake_feed_series{state="empty"}'
    await until('the series that have none', async () => (await metricOf(serverUrl, empty)) === 2)

    const run = startCli(['schedule', 'run'], home.env)
    const [, runUrl = ''] = await printed(run, /"url":"(http:\/\/127\.0\.0\.1:\d+)"/)
    const rows = 'candlelake_feed_rows_total{dataset="spot-klines",interval="1m"}'
    await until('a day, stored', async () => (await metricOf(runUrl, rows)) === 1_440)
    await until('two ticks', async () =>
      Number(await metricOf(runUrl, 'candlelake_schedule_ticks_total{op="tail",outcome="ok",code=""}')) > 1)
    const answered = (code: number) => metricOf(runUrl, `candlelake_exchange_requests_total{code="${code}"}`)
    expect(await answered(200)).to.be.greaterThan(3)
    expect(await answered(400), 'a symbol it has not').to.be.greaterThan(0)
    expect(await metricOf(runUrl, 'candlelake_exchange_used_weight')).to.be.greaterThan(5)
    expect(await metricOf(runUrl, 'candlelake_exchange_weight_limit')).to.equal(4_800)
    exchange.server.faults.set({ restricted: true })
    await until('a refusal', async () => (await answered(451)) !== null)
    exchange.server.faults.clear()

    await until('the rows that are hot', async () => (await metricOf(serverUrl, 'candlelake_hot_rows')) === 1_440)
    expect(await metricOf(serverUrl, 'candlelake_hot_days')).to.equal(1)
    const [{ behind } = { behind: 0 }] = await askEmbedded<{ behind: number }>(home.dir, `select
      extract(epoch from now() - max(open_time) - interval '2 minutes')::float8 as behind from candlelake.hot_candles`)
    expect(behind).to.be.greaterThan(86_400)
    const stored = 'candlelake_feed_series{state="stored"}'
    await until('the one that has some', async () => (await metricOf(serverUrl, stored)) === 1)
    expect(await metricOf(serverUrl, 'candlelake_feed_lag_seconds')).to.be.closeTo(behind, 10)
    expect(await metricOf(serverUrl, empty)).to.equal(1)
    const shown = [await ask(serverUrl, '/metrics'), await ask(runUrl, '/metrics')].map(({ text }) => text).join('')
    expect(shown).to.not.match(/BTCUSDT|NOTTHERE/)

    await schedule('remove', 'tail')
    await until('nothing to bring', async () => (await metricOf(serverUrl, 'candlelake_feed_lag_seconds')) === null)
    run.child.kill('SIGTERM')
    server.child.kill('SIGTERM')
    expect([(await run.ended).code, (await server.ended).code]).to.deep.equal([143, 143])
  })

  it('the server counts its streams while they are open, and those that healed', async () => {
    const server = startCli(['server'], home.env)
    const [, url = ''] = await printed(server, /(http:\/\/127\.0\.0\.1:\d+)/)
    const path = '/api/candles/spot-klines/BTCUSDT/1m'
    const streams = ['', ''].map(() => {
      let text = ''
      const asking = request(`${url}${path}`, { agent: false }, (answer) => answer.setEncoding('utf8')
        .on('data', (piece: string) => (text += piece)).on('error', () => undefined))
      asking.on('error', () => undefined).end()
      return { leave: () => asking.destroy(), text: () => text }
    })
    await until('two streams', async () => (await metricOf(url, 'candlelake_subscriptions')) === 2)
    await until('their beginning', () => streams.every(({ text }) => text().includes('id: ')))
    expect(await metricOf(url, 'candlelake_subscriptions_healed_total')).to.equal(0)
    const cut = await askEmbedded(home.dir, `select pg_terminate_backend(pid) from pg_stat_activity
      where application_name like 'candlelake %' and query like 'listen %'`)
    expect(cut).to.have.length(1)
    await until('both healed', async () => (await metricOf(url, 'candlelake_subscriptions_healed_total')) === 2)
    expect(streams.map(({ text }) => /^event: healed$/m.test(text()))).to.deep.equal([true, true])
    streams[0]?.leave()
    await until('one that left', async () => (await metricOf(url, 'candlelake_subscriptions')) === 1)
    streams[1]?.leave()
    await until('the other', async () => (await metricOf(url, 'candlelake_subscriptions')) === 0)
    server.child.kill('SIGTERM')
    expect((await server.ended).code).to.equal(143)
  })
})
