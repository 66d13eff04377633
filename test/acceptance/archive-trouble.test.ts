import { expect } from 'chai'
import { archive, keyOf, type Archive } from '../support/archive.js'
import { errorOf, lastJson, runCli, summaryOf, temporaryHome, type Ended, type Home } from '../support/cli.js'
import { freePort } from '../support/redis.js'

const MONTHS = ['2024-01', '2024-02', '2024-03']

describe('acceptance: an archive in trouble', function () {
  this.timeout(240_000)
  let served: Archive
  let home: Home

  before(async () => {
    served = await archive()
    home = await temporaryHome({ ARCHIVE_URL: served.url }, { up: true })
  })

  after(async () => {
    await home.remove()
    await served.close()
  })

  afterEach(() => {
    served.faults.clear()
    served.faults.reset()
  })

  const backfill = (symbols: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> => {
    const args = ['backfill', '--symbols', symbols, '--intervals', '1d', '--from', '2024-01', '--to', '2024-03']
    return runCli([...args, '--json', '-q'], { ...home.env, ...env })
  }
  const series = (symbol: string) => served.months({ symbol, interval: '1d' }, MONTHS)

  it('that is down ends the command with 1, where it is and what to do, and leaves no run behind', async () => {
    const nobody = `http://127.0.0.1:${await freePort()}`
    for (const symbols of ['BTCUSDT', '*USDT']) {
      const ended = await backfill(symbols, { ARCHIVE_URL: nobody })
      expect(ended.code, ended.stdout).to.equal(1)
      const error = errorOf(ended)
      expect(error).to.include({ code: 'ARCHIVE_UNREACHABLE', at: nobody })
      expect(error.do).to.be.a('string').that.includes('address')
    }
    const { runs } = lastJson(await runCli(['status', '--json'], home.env)) as { runs: unknown[] }
    expect(runs).to.deep.equal([])
  })

  it('whose listing is down is asked for the months of the calendar', async () => {
    await series('CALENDARUSDT')
    const nobody = `http://127.0.0.1:${await freePort()}`
    served.faults.set({ hide: [keyOf({ symbol: 'CALENDARUSDT', interval: '1d', month: '2024-02' })] })
    const ended = await backfill('CALENDARUSDT', { ARCHIVE_LIST_URL: nobody })
    expect(ended.code, ended.stderr).to.equal(0)
    expect(summaryOf(ended).partitions).to.include({ verified: 2, absent: 1 })
    const globbed = await backfill('CALENDAR*', { ARCHIVE_LIST_URL: nobody })
    expect(globbed.code).to.equal(1)
    expect(errorOf(globbed)).to.include({ code: 'ARCHIVE_UNREACHABLE', at: nobody })
  })

  it('that fails, throttles, breaks off and shows a web page for a while costs time and no data', async () => {
    await series('FLAKYUSDT')
    served.faults.set([
      { match: /FLAKYUSDT.*2024-01\.zip$/, errorRate: 1, errorStatus: 503, times: 2 },
      { match: /FLAKYUSDT.*2024-01\.zip$/, tooManyRequests: { count: 1, retryAfterSeconds: 1 } },
      { match: /FLAKYUSDT.*2024-02\.zip$/, truncate: true, times: 1 },
      { match: /FLAKYUSDT.*2024-03\.zip$/, htmlPage: true, times: 1 },
    ])
    const ended = await backfill('FLAKYUSDT')
    expect(served.faults.counts).to.include({ errorRate: 2, tooManyRequests: 1, truncate: 1, htmlPage: 1 })
    expect(ended.code, ended.stdout + ended.stderr).to.equal(0)
    expect(summaryOf(ended)).to.deep.include({ rows: 91 })
  })

  it('whose bytes are damaged on their way is not believed', async () => {
    await series('FLIPUSDT')
    served.faults.set({ match: /FLIPUSDT.*2024-02\.zip$/, flipBits: true })
    const ended = await backfill('FLIPUSDT')
    expect(served.faults.counts.flipBits).to.be.greaterThan(0)
    expect(ended.code, ended.stdout).to.equal(2)
    expect(summaryOf(ended).partitions).to.include({ verified: 2, quarantined: 1 })
  })

  it('whose CHECKSUM is stale or missing is believed when the file itself holds, and flagged', async () => {
    await served.month({ symbol: 'CHECKUSDT', interval: '1d', month: '2024-01', checksum: 'stale' })
    await served.month({ symbol: 'CHECKUSDT', interval: '1d', month: '2024-02', checksum: 'none' })
    await served.month({ symbol: 'CHECKUSDT', interval: '1d', month: '2024-03' })
    const args = ['backfill', '--symbols', 'CHECKUSDT', '--intervals', '1d', '--from', '2024-01', '--to', '2024-03']
    const ended = await runCli(args, home.env)
    expect(ended.code, ended.stderr).to.equal(0)
    expect(ended.stderr).to.match(/^! spot-klines\/CHECKUSDT\/1d\/2024-01 {2}1 stale CHECKSUM, accepted$/m)
    expect(ended.stderr).to.match(/^! spot-klines\/CHECKUSDT\/1d\/2024-02 {2}.*CHECKSUM.*, accepted$/m)
    expect(ended.stderr).to.not.include('CHECKUSDT/1d/2024-03')
    expect(ended.stdout).to.match(/^Verified 3 of 3 /m)
  })

  it('that redirects elsewhere is not followed', async () => {
    await series('REDIRECTUSDT')
    const elsewhere = await archive()
    try {
      served.faults.set({ match: /REDIRECTUSDT.*2024-02\.zip$/, redirectTo: elsewhere.url })
      const ended = await backfill('REDIRECTUSDT')
      expect(ended.code, ended.stdout).to.equal(2)
      expect(summaryOf(ended).partitions).to.include({ verified: 2, failed: 1 })
    } finally {
      await elsewhere.close()
    }
  })
})
