import { DuckDBInstance } from '@duckdb/node-api'
import { tableFromIPC } from 'apache-arrow'
import { expect } from 'chai'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { archive, type Archive } from '../support/archive.js'
import {
  errorOf, jsonLines, lastJson, printed, runCli, startAtTerminal, startCli, temporaryHome, type Ended, type Home,
} from '../support/cli.js'

const MONTHS = ['2024-01', '2024-02', '2024-03']
const HOURS = 24 * 91
const BTC = ['export', '--symbols', 'BTCUSDT', '--intervals', '1h', '--from', '2024-01', '--to', '2024-03']

/** The CSV's eleven fields behind the series, times in microseconds: what an exact export has for a line of the archive. */
const exported = (symbol: string, interval: string) => (line: string): string =>
  [symbol, interval, ...line.split(',').slice(0, 11).map((cell, i) => (i === 0 || i === 6 ? `${cell}000` : cell))].join(',')

for (const numericType of ['decimal', 'double']) {
  describe(`acceptance: export of a ${numericType} lake and of the archive`, function () {
    this.timeout(180_000)
    let served: Archive
    let home: Home
    let folder: string
    let lines: string[]

    before(async () => {
      served = await archive()
      home = await temporaryHome({ ARCHIVE_URL: served.url, NUMERIC_TYPE: numericType }, { up: true })
      for (const symbol of ['BTCUSDT', 'ETHUSDT']) await served.months({ symbol, interval: '1h' }, MONTHS)
      const wanted = ['--symbols', 'BTCUSDT,ETHUSDT', '--intervals', '1h', '--from', '2024-01', '--to', '2024-03']
      const ended = await runCli(['backfill', ...wanted, '--json', '-q'], home.env)
      expect(ended.code, ended.stderr).to.equal(0)
      lines = MONTHS.flatMap((month) => served.lines({ symbol: 'BTCUSDT', interval: '1h', month })).map(exported('BTCUSDT', '1h'))
    })
    after(async () => {
      await home.remove()
      await served.close()
    })
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'candlelake-export-test-'))
      served.faults.clear()
      served.forget()
    })
    afterEach(() => rm(folder, { recursive: true, force: true }))

    const run = async (args: readonly string[]): Promise<Ended> => {
      const ended = await runCli(args, home.env)
      expect(ended.code, ended.stderr).to.equal(0)
      return ended
    }
    /** Rows of CSV text as they compare: exact ones as text, doubles as numbers. */
    const comparable = (rows: readonly string[], exact: boolean): (string | number)[][] =>
      rows.map((row) => row.split(',').map((cell, i) => (i > 1 && !exact ? Number(cell) : cell)))

    for (const from of ['lake', 'archive']) {
      const args = from === 'lake' ? BTC : [...BTC, '--from-archive']
      const exact = from === 'archive' || numericType === 'decimal'

      it(`${from}: CSV on stdout, the summary on stderr`, async () => {
        const { stdout, stderr } = await run(args)
        const [head, ...rows] = stdout.trimEnd().split('\n')
        expect(head).to.match(/^symbol,interval,open_time,.*,count,/)
        expect(comparable(rows, exact)).to.deep.equal(comparable(lines, exact))
        expect(stderr).to.match(/^Exported 2,184 rows of 3 partitions of 1 series in [\d.]+s: \d+ KiB\n$/m)
      })

      it(`${from}: every format holds the same`, async () => {
        const path = (format: string): string => join(folder, `out.${format}`)
        for (const format of ['csv', 'csv.gz', 'json', 'jsonl', 'parquet', 'arrow']) {
          const summary = lastJson(await run([...args, '-o', path(format), '--json']))
          expect(summary).to.include({ type: 'summary', format, series: 1, partitions: 3, rows: HOURS, file: path(format) })
          expect(summary['bytes']).to.equal(readFileSync(path(format)).length)
        }
        expect(readdirSync(folder)).to.have.length(6)
        const csv = readFileSync(path('csv'), 'utf8')
        expect(gunzipSync(readFileSync(path('csv.gz'))).toString()).to.equal(csv)
        const cells = comparable(csv.trimEnd().split('\n').slice(1), exact)
        const objects = jsonLines(readFileSync(path('jsonl'), 'utf8'))
        expect(JSON.parse(readFileSync(path('json'), 'utf8'))).to.deep.equal(objects)
        expect(objects.map((row) => row['quote_volume'])).to.deep.equal(cells.map((row) => row[9]))
        const arrow = tableFromIPC(readFileSync(path('arrow')))
        expect(arrow.numRows).to.equal(HOURS)
        expect([...(arrow.getChild('quote_volume') ?? [])]).to.deep.equal(cells.map((row) => row[9]))
        expect([...(arrow.getChild('symbol') ?? [])]).to.deep.equal(cells.map(() => 'BTCUSDT'))
        const columns = await rowsOf(`select column_name, column_type from (describe select * from '${path('parquet')}')`)
        const lake = join(home.dir, 'lake/spot-klines/btcusdt/1h/2024-01/data.parquet')
        expect(columns).to.deep.equal(await rowsOf(`select column_name, column_type from (describe select * from '${lake}')`))
        const parquet = await rowsOf(`select quote_volume::varchar from '${path('parquet')}'`)
        expect(parquet.map(([value]) => Number(value))).to.deep.equal(cells.map((row) => Number(row[9])))
        if (numericType === 'decimal') expect(parquet.map(([value]) => value)).to.deep.equal(cells.map((row) => row[9]))
      })

      it(`${from}: globs, part of a month, and a note about what is not there`, async () => {
        const wanted = ['--symbols', '*USDT', '--intervals', '1h', '--from', '2024-02-10T12:00', '--to', '2024-02-11']
        const { stdout } = await run(['export', ...wanted, ...(from === 'archive' ? ['--from-archive'] : [])])
        const rows = stdout.trimEnd().split('\n').slice(1).map((row) => row.split(','))
        expect(rows.map((row) => row[0])).to.deep.equal([...Array<string>(12).fill('BTCUSDT'), ...Array<string>(12).fill('ETHUSDT')])
        expect(rows[0]?.[2]).to.equal(String(Date.UTC(2024, 1, 10, 12) * 1_000))
        const { stderr } = await run([...args.map((word) => (word === 'BTCUSDT' ? 'BTCUSDT,NOSUCH' : word)), '-o', join(folder, 'x.csv')])
        expect(stderr).to.include(`! spot-klines/NOSUCH/1h  the ${from} has nothing of it`)
      })

      it(`${from}: nothing of what was asked is an error, and makes no file`, async () => {
        const wanted = args.map((word) => (word === 'BTCUSDT' ? 'NOSUCH' : word))
        const ended = await runCli([...wanted, '-o', join(folder, 'x.csv'), '--json'], home.env)
        expect(ended.code).to.equal(1)
        expect(errorOf(ended)).to.include({ code: 'NOTHING_MATCHES' })
        expect(readdirSync(folder)).to.deep.equal([])
      })
    }

    it('the lake is read without the archive, and the archive without a home', async () => {
      await run(BTC)
      expect(served.sent()).to.deep.equal([])
      const bare = join(folder, 'home')
      const ended = await runCli([...BTC, '--from-archive'], { ARCHIVE_URL: served.url, CANDLELAKE_HOME: bare })
      expect(ended.code, ended.stderr).to.equal(0)
      expect(existsSync(bare)).to.equal(false)
    })

    it('a reader that has enough ends it in silence', async () => {
      for (const more of [[], ['--from-archive']]) {
        const running = startCli([...BTC, ...more, '-q'], home.env)
        running.child.stdout?.once('data', () => running.child.stdout?.destroy())
        const { code, stderr } = await running.ended
        expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' })
      }
    })

    if (numericType === 'double') return

    it('a corrupt month makes no file, and exit code 2', async () => {
      await served.months({ symbol: 'BADUSDT', interval: '1h' }, ['2024-01'])
      const month = { symbol: 'BADUSDT', interval: '1h', month: '2024-02' }
      await served.placeCsv(month, served.lines(month).map((line, i) => (i === 600 ? line.replace(/^(\d+),[^,]+/, '$1,nan') : line)))
      const path = join(folder, 'out.csv')
      writeFileSync(path, 'before')
      const args = ['export', '--from-archive', '--symbols', 'BADUSDT', '--intervals', '1h', '--to', '2024-02']
      const ended = await runCli([...args, '-o', path, '--json'], home.env)
      expect(ended.code).to.equal(2)
      expect(errorOf(ended)).to.include({ code: 'CORRUPT' })
      expect(readFileSync(path, 'utf8')).to.equal('before')
      expect(readdirSync(folder)).to.deep.equal(['out.csv'])
    })

    it('Ctrl-C leaves nothing half-written', async () => {
      served.faults.set({ bytesPerSecond: 2_000, match: /2024-0[23]\.zip$/ })
      const path = join(folder, 'out.parquet')
      const running = startCli([...BTC, '--from-archive', '-o', path], { ...home.env, TMPDIR: folder })
      await printedOnce(() => served.faults.counts.bytesPerSecond > 0)
      running.child.kill('SIGINT')
      expect((await running.ended).code).to.equal(130)
      expect(readdirSync(folder)).to.deep.equal([])
    })

    it('shows bars at a terminal, and refuses to print Parquet there', async () => {
      served.faults.set({ bytesPerSecond: 20_000, match: /\.zip$/ })
      const running = startAtTerminal([...BTC, '--from-archive', '-o', join(folder, 'out.csv')], { ...home.env, NO_COLOR: '1' })
      await printed(running, /download +[█░]+ +\d\/3 .*KiB/)
      await printed(running, /export +[█░]+ +\d\/3 .* rows/)
      expect((await running.ended).code).to.equal(0)
      const refused = await startAtTerminal([...BTC, '--format', 'parquet'], home.env).ended
      expect(refused.stdout).to.include('BAD_USAGE').and.to.include('-o FILE')
    })

    it('a format that is none is refused with those that are', async () => {
      const ended = await runCli([...BTC, '--format', 'xlsx', '--json'], home.env)
      expect(ended.code).to.equal(1)
      expect(errorOf(ended)).to.include({ code: 'BAD_USAGE', at: '--format' })
    })
  })
}

async function rowsOf(sql: string): Promise<string[][]> {
  const instance = await DuckDBInstance.create(':memory:')
  try {
    const connection = await instance.connect()
    return (await connection.runAndReadAll(sql)).getRowsJson() as string[][]
  } finally {
    instance.closeSync()
  }
}

async function printedOnce(so: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !so(); await new Promise((resolve) => setTimeout(resolve, 20))) {
    if (Date.now() > end) throw new Error('waited in vain for the fault to strike')
  }
}
