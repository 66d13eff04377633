import { DuckDBInstance } from '@duckdb/node-api'
import { tableFromIPC } from 'apache-arrow'
import { expect } from 'chai'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  errorOf,
  filesBelow,
  lastJson,
  processesWith,
  runCli,
  startAtTerminal,
  startCli,
  temporaryHome,
  type Home,
  until,
} from '../support/cli.js'

const SELECT = `select open_time, symbol, close, null as nothing from spot_klines where interval = '1h' order by open_time`

describe('acceptance: candlelake query', function () {
  this.timeout(120_000)
  let home: Home

  before(async () => {
    home = await temporaryHome()
    const dir = join(home.dir, 'lake/spot-klines/btcusdt/1h/2024-01')
    await mkdir(dir, { recursive: true })
    const connection = await (await DuckDBInstance.create()).connect()
    await connection.run(`SET TimeZone = 'UTC'`)
    await connection.run(`COPY (SELECT 'BTCUSDT' AS symbol, '1h' AS interval, make_timestamptz(1704067200000000 + i * 3600000000) AS open_time,
      i + 0.5::DOUBLE AS open, i + 0.5::DOUBLE AS high, i + 0.5::DOUBLE AS low, i + 0.5::DOUBLE AS close, 1::DOUBLE AS volume,
      make_timestamptz(1704067200000000 + i * 3600000000 + 3599999000) AS close_time, 1::DOUBLE AS quote_volume, i::BIGINT AS trades,
      1::DOUBLE AS taker_buy_volume, 1::DOUBLE AS taker_buy_quote_volume FROM range(100) t(i)) TO '${dir}/data.parquet' (FORMAT parquet)`)
    connection.closeSync()
  })

  after(() => home.remove())

  const query = (...args: string[]) => runCli(['query', ...args], home.env)

  it('a pipe gets every row as CSV, and stderr the cost', async () => {
    const { code, stdout, stderr } = await query(SELECT)
    expect(code, stderr).to.equal(0)
    const lines = stdout.trimEnd().split('\n')
    expect(lines).to.have.length(101)
    expect(lines.slice(0, 2)).to.deep.equal(['open_time,symbol,close,nothing', '2024-01-01T00:00:00Z,BTCUSDT,0.5,'])
    expect(stderr).to.match(/^100 rows {2}\d+\.\d+s {2}1 file {2}\d.* read\n$/)
  })

  it('a terminal gets a table of 40 rows', async () => {
    const running = startAtTerminal(['query', SELECT], home.env)
    const { code, stdout } = await running.ended
    expect(code).to.equal(0)
    expect(stdout.split('\n').filter((line) => line.includes('BTCUSDT'))).to.have.length(40)
    expect(stdout)
      .to.match(/open_time +symbol +close +nothing/)
      .and.to.include('first 40 rows')
  })

  it('every format has the same values', async () => {
    const two = `${SELECT} limit 2`
    const text = async (format: string): Promise<string> => (await query(two, '--format', format)).stdout
    expect(JSON.parse(await text('json'))).to.deep.equal([
      { open_time: '2024-01-01T00:00:00Z', symbol: 'BTCUSDT', close: 0.5, nothing: null },
      { open_time: '2024-01-01T01:00:00Z', symbol: 'BTCUSDT', close: 1.5, nothing: null },
    ])
    expect(
      (await text('jsonl'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).to.deep.equal(JSON.parse(await text('json')))
    expect(await text('markdown')).to.equal(
      '| open_time | symbol | close | nothing |\n|---|---|--:|--:|\n' +
        '| 2024-01-01T00:00:00Z | BTCUSDT | 0.5 |  |\n| 2024-01-01T01:00:00Z | BTCUSDT | 1.5 |  |\n',
    )
    expect(await text('line')).to.include('open_time = 2024-01-01T01:00:00Z\nsymbol = BTCUSDT\nclose = 1.5\n')
    expect(await text('table')).to.match(/^open_time +symbol +close +nothing\n2024-01-01T00:00:00Z +BTCUSDT +0\.5\n/)
    const file = join(home.dir, 'out.arrow')
    expect((await query(two, '--format', 'arrow', '-o', file)).code).to.equal(0)
    expect([...(tableFromIPC(await readFile(file)).getChild('close') ?? [])]).to.deep.equal([0.5, 1.5])
  })

  it('--json is one object with its cost, errors are one too', async () => {
    const good = lastJson(await query(`select count(*) as bars from spot_klines`, '--json'))
    expect(good).to.deep.include({
      v: 1,
      type: 'query',
      columns: [{ name: 'bars', type: 'BIGINT' }],
      items: [{ bars: 100 }],
    })
    const names = ['files', 'requests', 'bytesRead', 'bytesSkipped', 'cacheHits', 'seconds', 'path', 'reason']
    expect(good['cost']).to.have.keys(names)
    expect(good['cost']).to.include({ path: 'local', reason: null })
    const bad = await query(`copy spot_klines to '${home.dir}/stolen.csv'`, '--json')
    expect(bad.code).to.equal(1)
    expect(errorOf(bad)).to.include({ code: 'SQL_REFUSED', at: 'the SQL' })
    expect(filesBelow(home.dir).filter((name) => name.includes('stolen'))).to.deep.equal([])
  })

  it('a limit, SQL from stdin, and wrong flags', async () => {
    expect((await query(SELECT, '--limit', '3')).stdout.trim().split('\n')).to.have.length(4)
    expect((await runCli(['query', '-'], home.env, { stdin: 'select 1 as one' })).stdout).to.equal('one\n1\n')
    expect(errorOf(await query(SELECT, '--format', 'xml', '--json'))).to.include({ code: 'BAD_USAGE' })
    expect(errorOf(await query('select nothing from spot_klines', '--json'))).to.include({ code: 'SQL_REFUSED' })
    expect(
      errorOf(
        await query(
          'select count(*) from range(1000000000) a, range(1000000000) b where a.range + b.range = -1',
          '--json',
          '--query-timeout-seconds',
          '1',
        ),
      ),
    ).to.include({ code: 'QUERY_TIMEOUT' })
  })

  it('a limit at the end of a batch says whether there are more rows, and one of none has its head once', async () => {
    const noted = async (rows: number) => (await query(`select range from range(${rows})`, '--limit', '16384')).stderr
    expect(await noted(40_000)).to.match(/^first 16,384 rows /)
    expect(await noted(16_384)).to.match(/^16,384 rows /)
    expect((await query(SELECT, '--limit', '0')).stdout).to.equal('open_time,symbol,close,nothing\n')
  })

  it('JSON is written as rows come, is whole, and may be larger than memory', async () => {
    const [rows, file] = [600_000, join(home.dir, 'large.json')]
    const endless = await query('select range as n from range(10000000000)', '--json', '-o', file, '--query-timeout-seconds', '2')
    expect(errorOf(endless)).to.include({ code: 'QUERY_TIMEOUT' })
    expect((await readFile(file, 'utf8')).slice(0, 200)).to.match(/^\{"v":1,"type":"query","columns":\[.*\],"items":\[/)
    const sql = `select range as n, 'row ' || range as name, 'x' || hash(range) as hashed from range(${rows})`
    const large = await runCli(['query', sql, '--json', '-o', file], { ...home.env, NODE_OPTIONS: '--max-old-space-size=64' })
    expect(large.code, large.stderr).to.equal(0)
    const { v, type, columns, items, cost } = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown[]>
    await rm(file)
    expect([v, type, columns?.length, items?.length]).to.deep.equal([1, 'query', 3, rows])
    expect(items?.at(-1)).to.include({ n: rows - 1, name: `row ${rows - 1}` })
    expect(cost).to.include({ path: 'local' })
    const none = 'select 1 as one where false'
    expect((JSON.parse((await query(none, '--json')).stdout) as { items: unknown }).items).to.deep.equal([])
    expect((await query(none, '--format=json')).stdout).to.equal('[]\n')
  })

  it('--file asks Parquet files as the table files, and no lake', async () => {
    const file = join(home.dir, 'lake/spot-klines/btcusdt/1h/2024-01/data.parquet')
    const { code, stdout, stderr } = await query('--file', file, '--file', file, 'select count(*) as bars from files')
    expect([code, stdout], stderr).to.deep.equal([0, 'bars\n200\n'])
    expect(stderr).to.match(/^1 row {2}\d+\.\d+s {2}2 files {2}\d.* read\n$/)
    const good = lastJson(await query('--file', file, 'select close from files where close < 1', '--json'))
    expect(good).to.deep.include({ items: [{ close: 0.5 }] })
    expect(good['cost']).to.deep.include({ path: 'local', reason: null })
    expect(errorOf(await query('--file', 'ftp://host/x', 'select 1', '--json'))).to.include({ code: 'BAD_USAGE' })
    const absent = await query('--file', `${file}.none`, 'select 1 from files', '--json')
    expect(errorOf(absent)).to.include({ code: 'OBJECT_ABSENT' })
    const byPath = await query('--file', file, `select * from '${file}'`, '--json')
    expect(errorOf(byPath)).to.include({ code: 'SQL_REFUSED' })
  })

  it('Ctrl-C ends it, and neither its process nor its folder is left', async () => {
    const temp = join(home.dir, 'temp')
    await mkdir(temp)
    const endless = 'select count(*) from range(1000000000) a, range(1000000000) b where a.range + b.range = -1'
    const running = startCli(['query', endless], { ...home.env, TMPDIR: temp })
    await until('its process runs', () => processesWith(`"tempDir":"${temp}`)[0] ?? null)
    running.child.kill('SIGINT')
    expect((await running.ended).code).to.equal(130)
    await until('its process is gone', () => processesWith(`"tempDir":"${temp}`).length === 0)
    await until('its folder is gone', async () => (await readdir(temp)).length === 0)
    await rm(temp, { recursive: true })
  })

  it('starts no database: a lake in a folder is its own catalog', async () => {
    expect((await query('select count(*) from spot_klines')).code).to.equal(0)
    expect(filesBelow(home.dir).filter((name) => !name.startsWith('lake/') && !name.startsWith('out'))).to.deep.equal(
      [],
    )
  })
})
