import { expect } from 'chai'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { archive, serveFolder, type Archive } from '../support/archive.js'
import { jsonLines, lastJson, runCli, temporaryHome, type Ended, type Home } from '../support/cli.js'
import { memberOf, realArchiveDir } from '../support/real-archive.js'

const SERIES = 'spot-klines/HOTUSDT/1h'
const MONTH = { symbol: 'HOTUSDT', interval: '1h', month: '2024-01' } as const
const KEY = `${SERIES}/2024-01`

describe('acceptance: candlelake migrate', function () {
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

  const run = (...args: string[]) => runCli(args, home.env)
  const load = async (lines: readonly string[]): Promise<void> => {
    const path = join(home.dir, 'rows.csv')
    writeFileSync(path, `${lines.join('\n')}\n`)
    const ended = await run('hot', 'load', SERIES, '--csv', path)
    expect(ended.code, ended.stderr).to.equal(0)
  }
  const backfill = async (): Promise<void> => {
    const range = ['--symbols', 'HOTUSDT', '--intervals', '1h', '--from', '2024-01', '--to', '2024-01', '--json', '-q']
    const ended = await run('backfill', ...range)
    expect(ended.code, ended.stderr).to.equal(0)
  }
  const certificate = (): { verdict: string; data: { rows: number; revision: string; sources: { key: string }[] } } =>
    JSON.parse(readFileSync(join(home.dir, `lake/${KEY.toLowerCase()}/certificate.json`), 'utf8')) as never

  it('says that nothing is past retention', async () => {
    const ended = await run('migrate')
    expect([ended.code, ended.stdout], ended.stderr).to.deep.equal([0, 'No hot row is past retention.\n'])
  })

  it('a month whose archive is late is built of its hot rows, provisional, and the rows stay', async () => {
    await load(served.lines(MONTH).slice(0, 700))
    const dry = await run('migrate', '-n')
    expect(dry.stdout, dry.stderr).to.equal('Would compare 0 months, 0 rows, build 1. Nothing was changed.\n')
    const ended = await run('migrate', '--symbols', 'hot*', '--intervals', '1h')
    expect([ended.code, ended.stdout.replace(/\d+\.\ds/, 'N s')], ended.stderr).to.deep.equal([0,
      'Let 0 rows of 1 month go in N s, 1 late month built from hot rows. 700 rows past retention stay.\n'])
    expect(certificate().verdict).to.equal('provisional')
    expect(certificate().data.sources.map(({ key }) => key))
      .to.deep.equal(['hot/data/spot/monthly/klines/HOTUSDT/1h/HOTUSDT-1h-2024-01.zip'])
    expect(certificate().data.rows).to.equal(700)
  })

  it('the same rows are not built again; late ones open the month anew', async () => {
    const before = certificate()
    const again = lastJson(await run('migrate', '--json', '-q'))
    expect(again).to.deep.include({ type: 'summary', months: 1, rows: 700, removed: 0, built: 1, kept: 700 })
    expect(certificate()).to.deep.equal(before)
    await load(served.lines(MONTH).slice(690, 720))
    await run('migrate')
    expect(certificate().data.rows).to.equal(720)
    expect(certificate().data.revision).to.not.equal(before.data.revision)
  })

  it('the archive replaces it; what differed takes its values, is reported, and leaves with the rest', async () => {
    const lines = served.lines(MONTH)
    const fields = lines[5]?.split(',') ?? []
    await load([fields.map((field, i) => (i === 4 ? fields[2] : field)).join(',')])
    await served.months({ symbol: 'HOTUSDT', interval: '1h' }, ['2024-01'])
    await backfill()
    expect(certificate()).to.deep.include({ verdict: 'verified' })
    expect(certificate().data.rows).to.equal(744)
    const ended = await run('migrate', '--json')
    expect(ended.code, ended.stderr).to.equal(2)
    const report = jsonLines(ended.stdout).find(({ type }) => type === 'report')
    expect(report).to.deep.include({ partition: KEY, hotRows: 720, warmRows: 720, differing: 1 })
    const difference = { openTime: '2024-01-01T05:00:00.000Z', column: 'close', hot: fields[2], warm: fields[4] }
    const asNumbers = { ...difference, hot: String(Number(fields[2])), warm: String(Number(fields[4])) }
    expect(report?.['differences']).to.deep.equal([asNumbers])
    const columns = report?.['columns'] as { column: string; hot: string; warm: string }[]
    expect(columns.filter(({ hot, warm }) => hot !== warm).map(({ column }) => column)).to.deep.equal(['close'])
    expect(lastJson(ended)).to.deep.include({ type: 'summary', removed: 720, kept: 0, differing: 1 })
    expect(lastJson(await run('hot', 'stats', '--json'))).to.deep.include({ days: 0, items: [] })
    const shown = await run('hot', 'reports', KEY)
    expect(shown.stdout).to.match(/^spot-klines\/HOTUSDT\/1h\/2024-01 {2}\S+ {2}720 rows, 1 differing\n {2}2024-01-01T05/)
  })

  it('rows that the archive lacks stay hot and are named', async () => {
    const [first = ''] = served.lines({ ...MONTH, month: '2024-02' })
    const between = `${1_704_067_200_000 + 1_800_000},${first.split(',').slice(1, 6).join(',')},`
      + `${1_704_067_200_000 + 3_599_999},${first.split(',').slice(7).join(',')}`
    await load([between, ...served.lines(MONTH).slice(0, 3)])
    const ended = await run('migrate')
    expect(ended.code).to.equal(2)
    expect(ended.stdout.split('\n')[0]).to.equal(
      `${KEY}  1 of 4 rows differ: the month lacks 2024-01-01T00:30:00.000Z`)
    expect(ended.stdout).to.match(/4 rows past retention stay/)
  })

  it('a month that cannot be compared is named with the reason, and is no success', async () => {
    const lost = { symbol: 'LOSTUSDT', interval: '1h' } as const
    await served.months(lost, ['2024-01'])
    const range = ['--symbols', 'LOSTUSDT', '--intervals', '1h', '--from', '2024-01', '--to', '2024-01', '-q']
    expect((await run('backfill', ...range)).code).to.equal(0)
    expect((await run('hot', 'load', 'spot-klines/LOSTUSDT/1h')).code).to.equal(0)
    rmSync(join(home.dir, 'lake/spot-klines/lostusdt/1h/2024-01/data.parquet'))
    const detached = await run('migrate', '--symbols', 'LOSTUSDT', '--detach')
    expect(detached.stdout).to.equal('Enqueued 1 month. Work on it with: candlelake worker\n')
    const ended = await run('migrate', '--symbols', 'LOSTUSDT')
    expect(ended.code, ended.stderr).to.equal(2)
    expect(ended.stdout).to.match(/^x spot-klines\/LOSTUSDT\/1h\/2024-01 {2}OBJECT_ABSENT: there is no such object/)
    expect(ended.stdout).to.match(/744 rows past retention stay\.\n1 month failed\.\n$/)
  })

  it('a month in quarantine keeps its rows hot, and is no success', async () => {
    const bad = { symbol: 'BADUSDT', interval: '1h', month: '2024-01' } as const
    await served.place(bad, Buffer.from('PK, and nothing that follows from it'))
    const range = ['--symbols', 'BADUSDT', '--intervals', '1h', '--from', '2024-01', '--to', '2024-01', '-q']
    expect((await run('backfill', ...range)).code).to.equal(2)
    const path = join(home.dir, 'rows.csv')
    writeFileSync(path, `${served.lines(bad).slice(0, 5).join('\n')}\n`)
    expect((await run('hot', 'load', 'spot-klines/BADUSDT/1h', '--csv', path)).code).to.equal(0)
    const ended = await run('migrate', '--symbols', 'BADUSDT', '--json', '-q')
    expect(lastJson(ended), ended.stderr).to.deep.include({ months: 1, removed: 0, kept: 5, failed: 1 })
    expect(ended.code).to.equal(2)
    expect((await run('migrate', '--symbols', 'BADUSDT')).stdout).to.match(/1 month failed\. See: candlelake quarantine list/)
  })
})

const REAL = realArchiveDir()

/** Every series of the set that has whole months, 50 in all. */
const WHOLE = [
  { market: 'spot', symbol: 'BTCUSDT', interval: '1h', from: '2017-08', to: '2025-01', root: 'data/spot' },
  { market: 'um', symbol: 'FILUSDT', interval: '1m', from: '2023-02', to: '2023-06', root: 'data/futures/um' },
  { market: 'um', symbol: 'AVAXUSDT', interval: '1m', from: '2023-02', to: '2023-09', root: 'data/futures/um' },
  { market: 'um', symbol: 'BTCUSDT', interval: '5m', from: '2022-04', to: '2022-04', root: 'data/futures/um' },
]

if (REAL !== null) describe('acceptance: real archive rows migrated', function () {
  this.timeout(240_000)

  for (const NUMERIC_TYPE of ['decimal', 'double']) {
    it(`of a ${NUMERIC_TYPE} lake, built of hot rows first, are what the archive's own month holds`, async () => {
      const nothing = await archive()
      const served = await serveFolder(REAL)
      const home = await temporaryHome({ NUMERIC_TYPE }, { up: true })
      const run = (url: string, ...args: string[]) => runCli(args, { ...home.env, ARCHIVE_URL: url })
      try {
        const name = 'BTCUSDT-1h-2024-12'
        const csv = join(home.dir, `${name}.csv`)
        writeFileSync(csv, memberOf(join(REAL, `data/spot/monthly/klines/BTCUSDT/1h/${name}.zip`)))
        const load = await run(nothing.url, 'hot', 'load', 'spot-klines/BTCUSDT/1h', '--csv', csv, '--json', '-q')
        expect(load.code, load.stderr).to.equal(0)
        const built = await run(nothing.url, 'migrate', '--json', '-q')
        expect(lastJson(built), built.stderr).to.deep.include({ rows: 744, removed: 0, built: 1, kept: 744 })
        const month = ['--from', '2024-12', '--to', '2024-12', '--json', '-q']
        const filled = await run(served.url, 'backfill', '--symbols', 'BTCUSDT', '--intervals', '1h', ...month)
        expect(filled.code, filled.stderr).to.equal(0)
        const ended = await run(served.url, 'migrate', '--json')
        expect(ended.code, ended.stderr).to.equal(0)
        const report = jsonLines(ended.stdout).find(({ type }) => type === 'report')
        expect(report).to.deep.include({ hotRows: 744, warmRows: 744, differing: 0, differences: [] })
        expect(lastJson(ended)).to.deep.include({ rows: 744, removed: 744, kept: 0 })
      } finally {
        await home.remove()
        await served.close()
        await nothing.close()
      }
    })
  }

  it('of every whole month there is are what the archive says: no report names a row', async () => {
    const served = await serveFolder(REAL)
    const home = await temporaryHome({ NUMERIC_TYPE: 'decimal', ARCHIVE_URL: served.url }, { up: true })
    const run = async (...args: string[]): Promise<Ended> => {
      const ended = await runCli([...args, '--json'], home.env)
      expect(ended.code, ended.stderr).to.equal(0)
      return ended
    }
    try {
      let rows = 0
      for (const { market, symbol, interval, from, to, root } of WHOLE) {
        const folder = join(REAL, root, 'monthly/klines', symbol, interval)
        const files = readdirSync(folder).filter((name) => name.endsWith('.zip')).sort()
        const lines = files.flatMap((name) => memberOf(join(folder, name)).toString().split(/\r?\n/))
        const csv = join(home.dir, `${market}-${symbol}.csv`)
        writeFileSync(csv, `${lines.filter((line) => /^\d/.test(line)).join('\n')}\n`)
        rows += Number(lastJson(await run('hot', 'load', `${market}-klines/${symbol}/${interval}`, '--csv', csv))['stored'])
        await run('backfill', '--market', market, '--symbols', symbol, '--intervals', interval, '--from', from, '--to', to)
      }
      const ended = await run('migrate')
      const reports = jsonLines(ended.stdout).filter(({ type }) => type === 'report')
      expect(reports.filter(({ differing }) => differing !== 0)).to.deep.equal([])
      expect([rows, reports.length]).to.deep.equal([294_483, 50])
      expect(lastJson(ended)).to.deep.include({ months: 50, rows, removed: rows, kept: 0, differing: 0, failed: 0 })
    } finally {
      await home.remove()
      await served.close()
    }
  })
})
