import { expect } from 'chai'
import { archive, lastMonth } from '../support/archive.js'
import {
  errorOf, jsonLines, lastJson, printed, runCli, startAtTerminal, startCli, temporaryHome, until, type Home,
} from '../support/cli.js'
import { serveExchange, type TestExchange } from '../support/exchange.js'

describe('acceptance: candlelake sync, tail and schedule', function () {
  this.timeout(240_000)
  let exchange: TestExchange
  let home: Home

  before(async () => {
    exchange = await serveExchange('2025-02-02T00:00:30Z')
    home = await temporaryHome({ EXCHANGE_URL: exchange.url, HOT_DAYS: '1' }, { up: true })
  })
  after(async () => {
    await home.remove()
    await exchange.close()
  })

  const sync = (...more: string[]) =>
    runCli(['sync', '--symbols', 'BTCUSDT,ETHUSDT', '--intervals', '1m', ...more], home.env)

  it('what sync stores, tail shows: closed candles, once each', async () => {
    const first = await sync('--json')
    expect(first.code, first.stderr).to.equal(0)
    expect(jsonLines(first.stdout)[0]).to.deep.equal({
      v: 1, type: 'synced', series: 'spot-klines/BTCUSDT/1m', rows: 1_440, stored: 1_440,
      first: '2025-02-01T00:00:00.000Z', last: '2025-02-01T23:59:00.000Z',
    })
    expect(lastJson(first)).to.include({ type: 'summary', series: 2, rows: 2_880, stored: 2_880 })
    const tail = startCli(['tail', 'btcusdt', '1m', '--last', '2'], home.env)
    const terminal = startAtTerminal(['tail', 'spot-klines/BTCUSDT/1m', '--last', '1'], home.env)
    const seen = () => jsonLines(tail.output()).map(({ openTime }) => openTime)
    await until('the newest candles', () => seen().length === 2)
    await printed(terminal, /2025-02-01T23:59:00Z/)
    exchange.setClock('2025-02-02T00:02:10Z')
    expect((await sync()).stdout).to.match(/^Stored 4 rows of 2 series in /)
    expect((await sync()).stdout).to.equal('Nothing new of 2 series.\n')
    await until('the next candles', () => seen().length === 4)
    await printed(terminal, /2025-02-02T00:01:00Z/)
    terminal.type('\x03')
    tail.child.kill('SIGINT')
    const [ended, shown] = [await tail.ended, await terminal.ended]
    expect([ended.code, ended.stderr, shown.code]).to.deep.equal([130, '', 130])
    expect(seen()).to.deep.equal(
      ['2025-02-01T23:58', '2025-02-01T23:59', '2025-02-02T00:00', '2025-02-02T00:01'].map((text) => `${text}:00.000Z`))
    expect(shown.stdout).to.match(/open time +open +high +low +close +volume +trades/)
    const after = startCli(['tail', 'BTCUSDT', '1m', '--after', '2', '--json'], home.env)
    await until('what came since', () => jsonLines(after.output()).length === 3)
    after.child.kill('SIGTERM')
    const missed = jsonLines((await after.ended).stdout)
    expect(missed.map(({ type }) => type)).to.deep.equal(['candle', 'candle', 'healed'])
    const series = 'spot-klines/BTCUSDT/1m'
    expect(missed[2]).to.deep.equal({ v: 1, series, type: 'healed', awayMs: null, rows: 2, cursor: '3' })
  })

  it('with a schedule that runs, tail shows candles by itself', async () => {
    const series = ['--symbols', 'ETHUSDT', '--intervals', '1m']
    const added = await runCli(['schedule', 'add', 'tail', ...series, '--cron', '* * * * * *'], home.env)
    expect(added.stdout, added.stderr).to.match(/^tail ticks next at 20\d\d-/)
    const tail = startCli(['tail', 'ETHUSDT', '1m', '--last', '0'], home.env)
    const run = startCli(['schedule', 'run', '--json'], home.env)
    await until('a tick', () => /"type":"tick"/.test(run.output()))
    for (const minute of ['05', '06', '07']) {
      exchange.setClock(`2025-02-02T00:${minute}:30Z`)
      await until(`the candle before ${minute}`, () => tail.output().includes(`T00:0${Number(minute) - 1}:00.000Z`), 20_000)
    }
    run.child.kill('SIGTERM')
    tail.child.kill('SIGTERM')
    expect([(await run.ended).code, (await tail.ended).code]).to.deep.equal([143, 143])
    const listed = lastJson(await runCli(['schedule', 'list', '--json'], home.env)) as { items: unknown[] }
    const wanted = { name: 'tail', kind: 'tail', cron: '* * * * * *', symbols: ['ETHUSDT'], intervals: ['1m'] }
    expect(listed.items[0]).to.deep.include(wanted)
    expect((await runCli(['schedule', 'remove', 'tail'], home.env)).stdout).to.equal('Removed tail.\n')
    expect((await runCli(['schedule', 'list'], home.env)).stdout).to.equal('There are no schedules.\n')
  })

  it('schedules make the lake grow by itself, once, and take hot rows off that it holds', async () => {
    const served = await archive()
    const [symbol, env] = ['GROWUSDT', { ...home.env, ARCHIVE_URL: served.url }]
    await served.months({ symbol, interval: '1d' }, [lastMonth()])
    const series = ['--symbols', symbol, '--intervals', '1d']
    await runCli(['schedule', 'add', 'months', ...series, '--cron', '*/2 * * * * *'], env)
    const [worker, run] = [startCli(['worker'], env), startCli(['schedule', 'run', '--json'], env)]
    const ticks = () => jsonLines(run.output().split('\n').filter((line) => line.includes('"type":"tick"')).join('\n'))
    await until('a tick that finds all done', () => ticks().some(({ done }) => Number(done) >= 1))
    expect(ticks()[0]).to.include({ schedule: 'months', kind: 'months' })
    const rows = lastJson(await runCli(['query', 'select count(*) as n from spot_klines', '--format', 'jsonl'], env))
    expect(Number(rows['n'])).to.be.within(28, 31)
    await runCli(['schedule', 'remove', 'months'], env)
    const loaded = await runCli(['hot', 'load', `spot-klines/${symbol}/1d/${lastMonth()}`], env)
    expect(loaded.code, loaded.stderr).to.equal(0)
    await runCli(['schedule', 'add', 'migrate', ...series, '--cron', '*/2 * * * * *'], env)
    await until('a month that was migrated', async () =>
      (await runCli(['hot', 'reports', '--json'], env)).stdout.includes(`spot-klines/${symbol}/1d/${lastMonth()}`))
    expect(ticks().some(({ kind, months }) => kind === 'migrate' && months === 1)).to.equal(true)
    await runCli(['schedule', 'remove', 'migrate'], env)
    for (const one of [worker, run]) one.child.kill('SIGTERM')
    await Promise.all([worker.ended, run.ended])
    await served.close()
  })

  it('a symbol that the exchange does not know keeps no other from its candles', async () => {
    exchange.setClock('2025-02-02T00:10:30Z')
    const asked = ['sync', '--symbols', 'NOPEUSDT,ETHUSDT', '--intervals', '1m']
    const ended = await runCli([...asked, '--json'], home.env)
    expect(ended.code, ended.stderr).to.equal(2)
    const [failure, synced] = jsonLines(ended.stdout)
    expect(failure).to.include({ type: 'failure', series: 'spot-klines/NOPEUSDT/1m', code: 'EXCHANGE_REFUSED' })
    expect(failure?.['why']).to.match(/Invalid symbol/)
    expect(synced).to.include({ type: 'synced', series: 'spot-klines/ETHUSDT/1m', last: '2025-02-02T00:09:00.000Z' })
    expect(lastJson(ended)).to.include({ type: 'summary', series: 1, refused: 1 })
    const again = await runCli(asked, home.env)
    expect(again.stdout).to.match(/spot-klines\/NOPEUSDT\/1m +.*Invalid symbol.*\nNothing new of 1 series; the exchange refused 1\.\n/)
    const alone = await runCli(['sync', '--symbols', 'NOPEUSDT', '--intervals', '1m', '--json'], home.env)
    expect([alone.code, errorOf(alone).code]).to.deep.equal([1, 'EXCHANGE_REFUSED'])
  })

  it('says what is wrong, and where', async () => {
    exchange.server.faults.set({ restricted: true })
    const ended = await sync('--json')
    exchange.server.faults.clear()
    expect(ended.code).to.equal(1)
    expect(errorOf(ended)).to.include({ code: 'EXCHANGE_RESTRICTED' })
    expect(errorOf(await runCli(['sync', '--symbols', 'all', '--intervals', '1m', '--json'], home.env)).code).to.equal('BAD_USAGE')
    expect(errorOf(await sync('--market', 'um', '--json'))).to.include({ code: 'BAD_MARKET', at: '--market' })
    expect(errorOf(await runCli(['tail', 'BTCUSDT', '--json'], home.env)).code).to.equal('BAD_USAGE')
    expect(errorOf(await runCli(['tail', 'BTCUSDT', '1hr', '--json'], home.env)).code).to.equal('BAD_INTERVAL')
  })
})
