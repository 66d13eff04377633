import { expect } from 'chai'
import { join } from 'node:path'
import { archive, keyOf, lastMonth, monthAfter, type Archive } from '../support/archive.js'
import { filesBelow, jsonLines, lastJson, runCli, summaryOf, temporaryHome, type Ended, type Home } from '../support/cli.js'

const MONTHS = ['2024-01', '2024-02', '2024-03']
const UNICODE = '币安人生USDT'
const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'ETHBTC', 'BTCDOWNUSDT', UNICODE]

describe('acceptance: backfill', function () {
  this.timeout(240_000)
  let served: Archive
  let home: Home
  let zipBytes = 0

  before(async () => {
    served = await archive()
    for (const symbol of SYMBOLS) await served.months({ symbol, interval: '1d' }, MONTHS)
    for (const file of await served.months({ symbol: 'BTCUSDT', interval: '1h' }, MONTHS)) zipBytes += file.zipBytes
    // A name that no symbol can have: it is in the listing, and must not disturb.
    await served.place({ symbol: 'BTCUSDT_240329', interval: '1d', month: '2024-01' }, Buffer.from('not asked for'))
    home = await temporaryHome({ ARCHIVE_URL: served.url }, { up: true })
  })

  after(async () => {
    await home.remove()
    await served.close()
  })

  beforeEach(() => {
    served.forget()
    served.faults.clear()
  })

  const HOURS = ['backfill', '--symbols', 'BTCUSDT', '--intervals', '1h', '--from', '2024-01', '--to', '2024-03']
  const backfill = (args: readonly string[], stdin?: string): Promise<Ended> =>
    runCli(args, home.env, stdin === undefined ? {} : { stdin })

  it('a dry run says what it would take and changes nothing', async () => {
    const words = await backfill([...HOURS, '--dry-run'])
    expect(words.code, words.stderr).to.equal(0)
    expect(words.stdout).to.match(/^Would run 3 of 3 partitions\. Nothing was changed\.\ndownload \d+ KiB {2}lake ~\d+ KiB {2}free [\d.]+ [GT]iB {2}time ~[\d.]+m?s\n$/)
    const { downloadBytes, lakeBytes, freeBytes, seconds, ...counts } = lastJson(await backfill([...HOURS, '-n', '--json']))
    expect(counts).to.deep.equal({ v: 1, type: 'plan', total: 3, todo: 3, done: 0 })
    expect(downloadBytes).to.equal(zipBytes)
    for (const figure of [lakeBytes, freeBytes, seconds]) expect(figure).to.be.a('number').greaterThan(0)
    expect(served.sent()).to.deep.equal([])
    expect(filesBelow(join(home.dir, 'lake'))).to.deep.equal([])
    const status = lastJson(await runCli(['status', '--json'], home.env)) as { lake: { partitions: Record<string, number> }; runs: unknown[] }
    expect(Object.values(status.lake.partitions).every((count) => count === 0)).to.equal(true)
    expect(status.runs).to.deep.equal([])
  })

  it('--json prints progress by stage and ends with one summary', async () => {
    const ended = await backfill([...HOURS, '--json'])
    expect(ended.code, ended.stderr).to.equal(0)
    const lines = jsonLines(ended.stdout)
    const progress = lines.slice(0, -1)
    expect(progress.length).to.be.at.least(4)
    for (const line of progress) {
      expect(line).to.have.all.keys(['v', 'type', 'run', 'stage', 'done', 'total', 'bytes', 'etaSeconds'])
      expect(line).to.include({ v: 1, type: 'progress', total: 3 })
    }
    for (const stage of ['download', 'convert', 'upload', 'verify']) {
      expect(progress.findLast((line) => line['stage'] === stage), stage).to.include({ done: 3 })
    }
    const { run, bytesOut, seconds, ...summary } = summaryOf(ended)
    expect(lines.map((line) => line['run'])).to.deep.equal(lines.map(() => run))
    expect(summary).to.deep.equal({
      v: 1, type: 'summary', rows: (31 + 29 + 31) * 24, bytesIn: zipBytes,
      partitions: { verified: 3, provisional: 0, absent: 0, late: 0, quarantined: 0, failed: 0 },
    })
    const parquet = filesBelow(join(home.dir, 'lake')).filter((name) => name.endsWith('.parquet'))
    expect(parquet).to.deep.equal(MONTHS.map((month) => `spot-klines/btcusdt/1h/${month}/data.parquet`))
    expect(bytesOut).to.be.within(1, 2 * zipBytes)
    expect(seconds).to.be.within(0.1, 200)
    expect(served.sent().sort()).to.deep.equal(MONTHS.map((month) => keyOf({ symbol: 'BTCUSDT', interval: '1h', month })))
  })

  it('the same again has nothing to do, says so, and fetches nothing', async () => {
    const words = await backfill(HOURS)
    expect(words.code).to.equal(0)
    expect(words.stderr).to.include('3 verified, nothing to download\nNothing to do.\n')
    expect(words.stdout).to.match(/^Verified 3 of 3 in /m)
    const quiet = await backfill([...HOURS, '--json', '-q'])
    expect(quiet.code).to.equal(0)
    expect(jsonLines(quiet.stdout)).to.have.length(1)
    expect(quiet.stderr).to.equal('')
    expect(summaryOf(quiet)).to.deep.include({ type: 'summary', rows: 2184, bytesIn: zipBytes })
    expect(served.sent()).to.deep.equal([])
  })

  it('--force does finished partitions again, to the same bytes', async () => {
    const before = summaryOf(await backfill([...HOURS, '--json', '-q']))
    const forced = await backfill([...HOURS, '--force', '--json', '-q'])
    expect(forced.code, forced.stderr).to.equal(0)
    expect(served.sent()).to.have.length(3)
    const { rows, bytesOut } = summaryOf(forced)
    expect({ rows, bytesOut }).to.deep.equal({ rows: before.rows, bytesOut: before.bytesOut })
    const verify = await runCli(['verify', '--json', '-q'], home.env)
    expect(verify.code, verify.stdout).to.equal(0)
    expect(lastJson(verify)).to.include({ partitions: 3, drifted: 0 })
  })

  const selections: readonly (readonly [what: string, symbols: readonly string[], total: number])[] = [
    ['a glob, in any case', ['*usdt'], 4 * 3], ['globs and exclusions', ['*USDT', 'ETH?TC', '!*DOWNUSDT'], 4 * 3],
    ['an exclusion alone', ['!BTC*'], 3 * 3], ['all', ['all'], 5 * 3 + 1], ['a unicode name and a list', [`${UNICODE},ethbtc`], 6],
  ]
  for (const [what, symbols, total] of selections) {
    it(`plans for ${what}: ${symbols.join(' ')}`, async () => {
      const flags = symbols.flatMap((symbol) => ['--symbols', symbol])
      const ended = await backfill(['backfill', ...flags, '--intervals', '1d', '--from', '2024-01', '--to', '2024-03', '-n', '--json'])
      expect(ended.code, ended.stderr).to.equal(0)
      expect(lastJson(ended)).to.include({ type: 'plan', total })
    })
  }

  it('plans for symbols from stdin, for all intervals, and for a part of a month', async () => {
    const plan = async (args: readonly string[], stdin?: string) => lastJson(await backfill(['backfill', ...args, '-n', '--json'], stdin))
    const range = ['--from', '2024-01', '--to', '2024-03']
    expect(await plan(['--symbols', '-', '--intervals', '1d', ...range], 'BTCUSDT\nETHBTC\n\n')).to.include({ total: 6 })
    expect(await plan(['--symbols', 'BTCUSDT', '--intervals', 'all', ...range])).to.include({ total: 6 })
    expect(await plan(['--symbols', 'BTCUSDT', '--intervals', '1d', '--from', '2024-01-15', '--to', '2024-02-01'])).to.include({ total: 1 })
    expect(await plan(['--symbols', 'BTCUSDT', '--intervals', '1d', '--to', '2024-02-01T00:00:01Z'])).to.include({ total: 2 })
  })

  it('a symbol that is not ASCII goes all the way', async () => {
    const ended = await backfill(['backfill', '--symbols', UNICODE, '--intervals', '1d', '--to', '2024-03', '--json', '-q'])
    expect(ended.code, ended.stderr).to.equal(0)
    expect(summaryOf(ended)).to.deep.include({ rows: 91 })
    const lake = filesBelow(join(home.dir, 'lake', 'spot-klines', UNICODE.toLowerCase(), '1d'))
    expect(lake.filter((name) => name.endsWith('data.parquet'))).to.have.length(3)
    const verify = await runCli(['verify', `spot-klines/${UNICODE}/1d/*`, '--json', '-q'], home.env)
    expect(lastJson(verify)).to.include({ partitions: 3, rows: 91, drifted: 0 })
  })

  it('what the archive has nothing of is an error that says so', async () => {
    const ended = await backfill(['backfill', '--symbols', 'NOSUCHUSDT', '--intervals', '1d', '--json'])
    expect(ended.code).to.equal(1)
    expect(ended.stderr).to.include('"NOTHING_MATCHES"')
  })

  it('ends with 3 while only a late month is missing, and with 0 once it is there', async () => {
    const months = [monthAfter(lastMonth(), -2), monthAfter(lastMonth(), -1), lastMonth()]
    await served.months({ symbol: 'LATEUSDT', interval: '1d' }, months)
    served.faults.set({ hide: [keyOf({ symbol: 'LATEUSDT', interval: '1d', month: lastMonth() })] })
    const args = ['backfill', '--symbols', 'LATEUSDT', '--intervals', '1d', '--json', '-q']
    const late = await backfill(args)
    expect(served.faults.counts.hide).to.be.greaterThan(0)
    expect(late.code, late.stdout).to.equal(3)
    expect(summaryOf(late).partitions).to.include({ verified: 2, late: 1, absent: 0 })
    served.faults.clear()
    served.forget()
    const there = await backfill(args)
    expect(there.code, there.stdout).to.equal(0)
    expect(summaryOf(there).partitions).to.include({ verified: 3, late: 0 })
    expect(served.sent()).to.deep.equal([keyOf({ symbol: 'LATEUSDT', interval: '1d', month: lastMonth() })])
  })

  it('a hole of an old series is absent, which is no failure', async () => {
    await served.months({ symbol: 'HOLEUSDT', interval: '1d' }, ['2024-01', '2024-03'])
    const ended = await backfill(['backfill', '--symbols', 'HOLEUSDT', '--intervals', '1d', '--to', '2024-03', '--json', '-q'])
    expect(ended.code, ended.stdout).to.equal(0)
    expect(summaryOf(ended).partitions).to.include({ verified: 2, absent: 1, late: 0 })
  })

  it('ends with 2 when one is quarantined; the others are verified, and the same again is still 2', async () => {
    const bad = { symbol: 'BADUSDT', interval: '1d', month: '2024-02' }
    await served.months({ symbol: 'BADUSDT', interval: '1d' }, MONTHS)
    const lines = served.lines(bad)
    lines[3] = (lines[3] ?? '').split(',').with(5, '-1.00000000').join(',')
    await served.placeCsv(bad, lines)
    const args = ['backfill', '--symbols', 'BADUSDT', '--intervals', '1d', '--from', '2024-01', '--to', '2024-03']
    const ended = await backfill(args)
    expect(ended.code, ended.stdout + ended.stderr).to.equal(2)
    expect(ended.stderr).to.match(/^x spot-klines\/BADUSDT\/1d\/2024-02 {2}quarantined: CORRUPT /m)
    expect(ended.stdout).to.match(/^Verified 2 of 3 in [\d.]+m?s, 1 quarantined\. See: candlelake quarantine list\n$/m)
    served.forget()
    const again = await backfill([...args, '--json', '-q'])
    expect(again.code).to.equal(2)
    expect(summaryOf(again).partitions).to.include({ verified: 2, quarantined: 1 })
    expect(served.sent(), 'the same bytes are not tried again').to.deep.equal([])
  })
})
