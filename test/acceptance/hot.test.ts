import { expect } from 'chai'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { archive, serveFolder, type Archive } from '../support/archive.js'
import { errorOf, jsonLines, lastJson, runCli, temporaryHome, type Home } from '../support/cli.js'
import { memberOf, realArchiveDir } from '../support/real-archive.js'

const SERIES = 'spot-klines/HOTUSDT/1d'
const JANUARY = { symbol: 'HOTUSDT', interval: '1d', month: '2024-01' } as const

const HEADER =
  'open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore'

describe('acceptance: candlelake hot', function () {
  this.timeout(240_000)
  let served: Archive
  let home: Home

  before(async () => {
    served = await archive()
    home = await temporaryHome({ ARCHIVE_URL: served.url }, { up: true })
    await served.months({ symbol: 'HOTUSDT', interval: '1d' }, ['2024-01', '2024-02'])
    const range = ['--symbols', 'HOTUSDT', '--intervals', '1d', '--from', '2024-01', '--to', '2024-02', '--json', '-q']
    const ended = await runCli(['backfill', ...range], home.env)
    expect(ended.code, ended.stderr).to.equal(0)
  })

  after(async () => {
    await home.remove()
    await served.close()
  })

  const hot = (...args: string[]) => runCli(['hot', ...args], home.env)
  const csv = (name: string, lines: readonly string[]): string => {
    const path = join(home.dir, name)
    writeFileSync(path, `${lines.join('\n')}\n`)
    return path
  }

  it('months of the lake become hot, show up in the figures, and leave again', async () => {
    expect((await hot('stats')).stdout).to.equal('There are no hot rows.\n')
    expect((await hot('load', SERIES)).stdout).to.match(/^Loaded 60 rows in \d+\.\ds\.\n$/)
    const again = await hot('load', `${SERIES}/2024-02`, '--json', '-q')
    expect(lastJson(again)).to.deep.include({ v: 1, type: 'summary', rows: 29, stored: 29 })
    expect((await hot('load', `${SERIES}/2023-02`)).stdout).to.equal('Nothing that is verified matches.\n')
    const stats = lastJson(await hot('stats', '--json'))
    expect(stats).to.deep.include({ v: 1, type: 'hot', days: 60, items: [{
      dataset: 'spot-klines', interval: '1d', symbols: 1, rows: 60,
      first: '2024-01-01T00:00:00.000Z', last: '2024-02-29T00:00:00.000Z',
    }] })
    expect((await hot('stats')).stdout)
      .to.match(/^dataset +interval +symbols +rows +first +last\nspot-klines +1d +1 +60 +2024-01-01T00:00:00Z +2024/)
      .and.match(/\n60 days, [\d.]+ [KM]iB\n$/)
    const dry = await hot('prune', '-n')
    expect(dry.stdout, dry.stderr).to.equal('Would let 60 rows of 60 days go. Nothing was changed.\n')
    const done = { v: 1, type: 'summary', dryRun: false, days: 60, rows: 60 }
    expect(lastJson(await hot('prune', '--json', '-q'))).to.deep.equal(done)
    expect(lastJson(await hot('stats', '--json'))).to.deep.include({ days: 0, bytes: 0, items: [] })
  })

  it('a CSV is taken in as it is; rows that the month has otherwise stay and are named', async () => {
    const lines = served.lines(JANUARY)
    const fields = lines[4]?.split(',') ?? []
    const changed = fields.map((field, i) => (i === 4 ? '7.5' : field)).join(',')
    const path = csv('HOTUSDT-1d-2024-01.csv', [HEADER, ...lines.slice(0, 4), changed])
    expect((await hot('load', SERIES, '--csv', path)).stdout).to.match(/^Loaded 5 rows in/)
    const later = csv('later.csv', served.lines({ ...JANUARY, month: '2024-03' }).slice(0, 1))
    expect((await hot('load', SERIES, '--csv', later)).code).to.equal(0)
    const young = await hot('prune', '-n', '--hot-days', '3650')
    expect([young.code, young.stdout]).to.deep.equal([0, 'Would let 0 rows of 0 days go. Nothing was changed.\n'])
    const pruned = await hot('prune')
    expect(pruned.code).to.equal(2)
    const close = String(Number(fields[4]))
    expect(pruned.stdout.split('\n')).to.deep.equal([
      `x ${SERIES}  2024-01-05: 1 row stays, the month has others: `
      + `close is ${close} and not 7.5 at 2024-01-05T00:00:00Z`,
      `! ${SERIES}  2024-03-01: 1 row stays, no verified month yet`,
      'Let 4 rows of 4 days go. 2 series-days past retention stay.', '',
    ])
    const [first] = jsonLines((await hot('prune', '--json')).stdout)
    expect(first?.['kept']).to.deep.equal([{
      series: { dataset: 'spot-klines', symbol: 'HOTUSDT', interval: '1d' }, rows: 1, why: 'differs', differing: 1,
      differences: [{ openTime: '2024-01-05T00:00:00.000Z', column: 'close', hot: '7.5', warm: close }],
    }])
  })

  it('a CSV with a bad line is refused by its number, and so are a missing file and a month', async () => {
    const [good = '', bad = ''] = served.lines(JANUARY)
    const path = csv('bad.csv', [good, bad.replace(/^(\d+),[^,]*/, '$1,1e5')])
    const refused = errorOf(await hot('load', SERIES, '--csv', path, '--json'))
    expect(refused).to.deep.include({ code: 'CORRUPT', message: 'open cannot be "1e5"', at: `${path} line 2` })
    const absent = errorOf(await hot('load', SERIES, '--csv', join(home.dir, 'none.csv'), '--json'))
    expect(absent).to.deep.include({ code: 'BAD_USAGE', at: '--csv', message: 'the file cannot be read (ENOENT)' })
    const folder = errorOf(await hot('load', SERIES, '--csv', home.dir, '--json'))
    expect(folder).to.deep.include({ code: 'BAD_USAGE', message: 'the file cannot be read (EISDIR)' })
    expect((await hot('load', SERIES, '--csv', csv('empty.csv', []))).stdout).to.equal('The file has no rows.\n')
    const month = errorOf(await hot('load', `${SERIES}/2024-01`, '--csv', path, '--json'))
    expect(month).to.deep.include({ code: 'BAD_PARTITION', do: `use ${SERIES}` })
  })
})

const REAL = realArchiveDir()
const MONTHS = [
  ['spot', 'BTCUSDT', '1h', '2024-12', 'data/spot'], ['spot', 'BTCUSDT', '1h', '2025-01', 'data/spot'],
  ['um', 'FILUSDT', '1m', '2023-04', 'data/futures/um'],
] as const

if (REAL !== null) describe('acceptance: real archive rows in hot', function () {
  this.timeout(240_000)

  for (const NUMERIC_TYPE of ['decimal', 'double']) {
    it(`are what the ${NUMERIC_TYPE} lake's months hold, value by value`, async () => {
      const served = await serveFolder(REAL)
      const home = await temporaryHome({ ARCHIVE_URL: served.url, NUMERIC_TYPE }, { up: true })
      try {
        let loaded = 0
        for (const [market, symbol, interval, month, root] of MONTHS) {
          const series = ['--market', market, '--symbols', symbol, '--intervals', interval]
          const ended = await runCli(['backfill', ...series, '--from', month, '--to', month, '--json', '-q'], home.env)
          expect(ended.code, ended.stderr).to.equal(0)
          const name = `${symbol}-${interval}-${month}`
          const csv = join(home.dir, `${name}.csv`)
          writeFileSync(csv, memberOf(join(REAL, root, `monthly/klines/${symbol}/${interval}/${name}.zip`)))
          const into = `${market}-klines/${symbol}/${interval}`
          const load = await runCli(['hot', 'load', into, '--csv', csv, '--json', '-q'], home.env)
          expect(load.code, load.stderr).to.equal(0)
          loaded += Number(lastJson(load)['stored'])
        }
        expect(loaded).to.be.greaterThan(30_000)
        const pruned = await runCli(['hot', 'prune', '--json'], home.env)
        const kept = jsonLines(pruned.stdout).flatMap((line) => (line['kept'] as unknown[] | undefined) ?? [])
        expect(kept).to.deep.equal([])
        expect(lastJson(pruned)).to.deep.include({ rows: loaded })
        expect(pruned.code).to.equal(0)
      } finally {
        await home.remove()
        await served.close()
      }
    })
  }
})
