import { DuckDBInstance } from '@duckdb/node-api'
import { expect } from 'chai'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { serveFolder, type Served } from '../support/archive.js'
import { lastJson, runCli, temporaryHome, type Ended, type Home } from '../support/cli.js'
import { realArchiveDir } from '../support/real-archive.js'

const REAL = realArchiveDir()

type Wanted = { readonly market: string; readonly symbols: string; readonly intervals: string; readonly from: string; readonly to: string }

/** The archive's monthly files that must end verified, as someone would ask for them. */
const WANTED: readonly Wanted[] = [
  { market: 'spot', symbols: 'BTCUSDT', intervals: '1h', from: '2017-08', to: '2020-12' },
  { market: 'spot', symbols: 'BTCUSDT', intervals: '1h', from: '2024-12', to: '2025-01' },
  { market: 'um', symbols: 'FILUSDT', intervals: '1m', from: '2023-02', to: '2023-02' },
  { market: 'um', symbols: 'FILUSDT', intervals: '1m', from: '2023-04', to: '2023-06' },
  { market: 'um', symbols: 'AVAXUSDT', intervals: '1m', from: '2023-02', to: '2023-02' },
  { market: 'um', symbols: 'AVAXUSDT', intervals: '1m', from: '2023-09', to: '2023-09' },
  { market: 'um', symbols: 'BTCUSDT', intervals: '5m', from: '2022-04', to: '2022-04' },
]
const FOLDERS = [
  ['spot-klines', 'data/spot/monthly/klines/BTCUSDT/1h'],
  ['um-klines', 'data/futures/um/monthly/klines/FILUSDT/1m'],
  ['um-klines', 'data/futures/um/monthly/klines/AVAXUSDT/1m'],
  ['um-klines', 'data/futures/um/monthly/klines/BTCUSDT/5m'],
] as const

const NUMBERS = [1, 2, 3, 4, 5, 7, 9, 10]
const COLUMNS = ['open', 'high', 'low', 'close', 'volume', 'quote_volume', 'taker_buy_volume', 'taker_buy_quote_volume']

/** The distinct rows of a ZIP's CSV, by open time in microseconds, read with `unzip` and nothing of ours. */
function csvRows(zip: string): Map<string, string[]> {
  const text = execFileSync('unzip', ['-p', zip], { maxBuffer: 1 << 28, encoding: 'utf8' })
  const lines = text.split(/\r?\n/).filter((line) => /^\d/.test(line))
  return new Map(lines.map((line) => {
    const fields = line.split(',')
    return [micros(fields[0] ?? ''), fields]
  }))
}

const micros = (text: string): string => (text.length > 14 ? text : `${text}000`)

/** The decimal text with eight digits after the point. */
function withEight(text: string): string {
  const [whole = '', fraction = ''] = text.split('.')
  return `${whole}.${fraction.padEnd(8, '0')}`
}

async function lakeRows(path: string): Promise<string[][]> {
  const instance = await DuckDBInstance.create(':memory:')
  try {
    const connection = await instance.connect()
    const numbers = COLUMNS.map((name) => `${name}::VARCHAR`).join(', ')
    const sql = `SELECT epoch_us(open_time)::VARCHAR, ${numbers}, epoch_us(close_time)::VARCHAR, trades::VARCHAR, symbol, interval FROM '${path}'`
    return (await connection.runAndReadAll(sql)).getRows() as string[][]
  } finally {
    instance.closeSync()
  }
}

async function compare(zip: string, parquet: string, numericType: string): Promise<number> {
  const want = csvRows(zip)
  const rows = await lakeRows(parquet)
  expect(rows.length, parquet).to.equal(want.size)
  for (const row of rows) {
    const fields = want.get(row[0] ?? '') ?? []
    for (const [i, at] of NUMBERS.entries()) {
      const [stored, text] = [row[i + 1] ?? '', fields[at] ?? '']
      const equal = numericType === 'decimal' ? stored === withEight(text) : Number(stored) === Number(text)
      if (!equal) expect.fail(`${parquet} ${COLUMNS[i]} at ${row[0]}: ${stored}, the CSV has ${text}`)
    }
    expect([row[9], row[10]]).to.deep.equal([micros(fields[6] ?? ''), fields[8]])
  }
  return rows.length
}

for (const numericType of ['double', 'decimal']) {
  (REAL === null ? describe.skip : describe)(`real archive files, ${numericType}`, function () {
    this.timeout(600_000)
    let server: Served
    let home: Home
    const runs: Ended[] = []

    before(async () => {
      server = await serveFolder(REAL ?? '')
      home = await temporaryHome({ ARCHIVE_URL: server.url, NUMERIC_TYPE: numericType })
      for (const { market, symbols, intervals, from, to } of WANTED) {
        const args = ['backfill', '--market', market, '--symbols', symbols, '--intervals', intervals, '--from', from, '--to', to, '--json', '-q']
        runs.push(await runCli(args, home.env))
      }
    })

    after(async () => {
      await home.remove()
      await server.close()
    })

    it('end verified', () => {
      for (const [i, run] of runs.entries()) {
        expect(run.code, `${JSON.stringify(WANTED[i])}\n${run.stderr}`).to.equal(0)
        const { partitions } = lastJson(run) as { partitions: Record<string, number> }
        const others = Object.entries(partitions).filter(([state, count]) => state !== 'verified' && count > 0)
        expect(others, JSON.stringify(WANTED[i])).to.deep.equal([])
      }
      const verified = runs.map((run) => (lastJson(run) as { partitions: { verified: number } }).partitions.verified)
      expect(verified.reduce((sum, count) => sum + count)).to.equal(50)
    })

    it('hold the rows and values of their CSVs', async () => {
      let rows = 0
      let files = 0
      for (const [dataset, folder] of FOLDERS) {
        for (const name of readdirSync(join(REAL ?? '', folder)).filter((file) => file.endsWith('.zip'))) {
          const [, symbol = '', interval = '', month = ''] = /^(.+)-([^-]+)-(\d{4}-\d{2})\.zip$/.exec(name) ?? []
          const parquet = join(home.dir, 'lake', dataset, symbol.toLowerCase(), interval, month, 'data.parquet')
          rows += await compare(join(REAL ?? '', folder, name), parquet, numericType)
          files++
        }
      }
      expect(files).to.equal(50)
      expect(rows).to.be.greaterThan(250_000)
    })

    const certificateOf = (month: string): { gaps: { class: string; fromUs: string }[]; data: Record<string, number>; findings: { code: string }[] } => {
      const path = join(home.dir, 'lake/spot-klines/btcusdt/1h', month, 'certificate.json')
      return JSON.parse(readFileSync(path, 'utf8')) as ReturnType<typeof certificateOf>
    }

    it('certificates name the known outages and the off-grid bars', () => {
      for (const month of ['2018-02', '2020-02', '2020-12']) {
        expect(certificateOf(month).gaps.map((gap) => gap.class), month).to.include('outage')
      }
      expect(certificateOf('2018-02').data['offGridRows']).to.equal(43)
      expect(certificateOf('2020-12').data['closeBeforeOpenRows']).to.equal(1)
      expect(certificateOf('2017-08').gaps.map((gap) => gap.class)).to.deep.equal(['before_listing'])
      for (const month of ['2018-02', '2020-02', '2020-12']) {
        expect(certificateOf(month).gaps.filter((gap) => gap.class === 'unknown'), month).to.deep.equal([])
      }
    })

    it('leave nothing but its marker in staging, and nothing in _incoming', () => {
      const left = ['staging', 'lake/_incoming'].map((name) => join(home.dir, name)).filter(existsSync)
        .flatMap((dir) => readdirSync(dir, { recursive: true, encoding: 'utf8', withFileTypes: true }))
        .filter((entry) => entry.isFile())
      expect(left.map((entry) => entry.name)).to.deep.equal(['_catalog.json'])
    })
  })
}
