import { DuckDBInstance } from '@duckdb/node-api'
import { expect } from 'chai'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ask } from '../support/ask.js'
import { filesBelow, jsonLines, printed, processesWith, runCli, startCli, summaryOf, type Ended } from '../support/cli.js'
import { embeddedLeftOf } from '../support/embedded.js'

describe('acceptance: demo', function () {
  this.timeout(300_000)
  let temporary: string

  beforeEach(() => {
    temporary = mkdtempSync(join(tmpdir(), 'candlelake-demo-test-'))
  })

  afterEach(() => {
    rmSync(temporary, { recursive: true, force: true })
    expect(processesWith(temporary), 'processes left behind').to.deep.equal([])
    expect(embeddedLeftOf(temporary), 'databases left behind').to.deep.equal([])
  })

  /** The lake's folder below what the demo made; nothing else may be left there. */
  function lakeLeft(): string {
    const [made = '', ...others] = readdirSync(temporary)
    expect(others).to.deep.equal([])
    expect(readdirSync(join(temporary, made))).to.deep.equal(['lake'])
    return join(temporary, made, 'lake')
  }

  it('prints what it did, a query, and lines for DuckDB and Polars that read what it left', async () => {
    const ended = await runCli(['demo'], { TMPDIR: temporary })
    expect(ended.code, ended.stderr).to.equal(0)
    const { stdout } = ended
    expect(stdout).to.match(/^Verified 12 of 12 in /m)
    expect(stdout).to.match(/^12 partitions, 269,132 rows at [\d.,]+ ?[kM]? ?rows?\/s, [\d.]+ MiB in, [\d.]+ MiB out$/m)
    expect(stdout).to.match(/^Findings: .*2 partitions with missing bars/m)
    expect(stdout).to.match(/^Findings: .*1 partition with .*CHECKSUM/m)
    expect(stdout).to.match(/^BTCUSDT +1h +2204 /m).and.to.match(/^ETHUSDT +1m +132480 /m)
    const lake = lakeLeft()
    const parquet = filesBelow(lake).filter((name) => name.endsWith('/data.parquet'))
    expect(parquet).to.have.length(12)
    expect(filesBelow(lake), 'with certificates, and whose it is').to.have.length(25)

    const [, select = ''] = /^Paste into DuckDB:\n +(select .*);$/m.exec(stdout) ?? []
    const rows = await duckdb(select)
    expect(rows.map(([symbol]) => symbol).sort()).to.deep.equal(['BTCUSDT', 'ETHUSDT'])
    for (const [, high] of rows) expect(high).to.be.a('number').greaterThan(1_000)
    const [, glob = ''] = /^Paste into Python, with Polars:\n.*scan_parquet\('([^']*)'\)/m.exec(stdout) ?? []
    expect(glob).to.equal(`${lake}/spot-klines/**/data.parquet`)
    expect((await duckdb(`select count(*) from read_parquet('${glob}')`))[0]?.[0]).to.equal(269_132n)
  })

  it('keeps the dashboard and the archive up with --keep, until Ctrl-C', async () => {
    const running = startCli(['demo', '--keep', '--json'], { TMPDIR: temporary }, { detached: true })
    try {
      const [, url = '', archiveUrl = ''] = await printed(running, /"type":"server","url":"([^"]+)","archiveUrl":"([^"]+)"/, 240_000)
      const page = await ask(url, '/')
      expect(page.status).to.equal(200)
      expect(page.text).to.include('12').and.to.match(/verified/i)
      expect((await ask(url, '/readyz')).status).to.equal(200)
      expect((await ask(archiveUrl, '/?prefix=data/spot/monthly/klines/BTCUSDT/1h/')).text).to.include('BTCUSDT-1h-2024-12.zip')
    } finally {
      process.kill(-(running.child.pid ?? 0), 'SIGINT')
    }
    const ended: Ended = await running.ended
    expect(ended.code, ended.stderr).to.be.oneOf([0, 130])
    const lines = jsonLines(ended.stdout)
    const summary = summaryOf({ ...ended, stdout: ended.stdout.split('\n').find((line) => line.includes('"summary"')) ?? '' })
    expect(summary.partitions).to.include({ verified: 12, quarantined: 0, failed: 0 })
    expect(summary.rows).to.equal(269_132)
    expect(lines.filter((line) => line['type'] === 'query')).to.have.length(1)
    lakeLeft()
  })

  it('leaves nothing at all when it is interrupted', async () => {
    const running = startCli(['demo'], { TMPDIR: temporary })
    await printed(running, /^Planned 12 partitions/m)
    running.child.kill('SIGINT')
    const ended = await running.ended
    expect(ended.code, ended.stderr).to.equal(130)
    expect(ended.stderr).to.match(/Stopped with \d+ of 12 to do/)
    expect(readdirSync(temporary)).to.deep.equal([])
  })
})

async function duckdb(select: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create(':memory:')
  try {
    return (await (await instance.connect()).runAndReadAll(select)).getRows()
  } finally {
    instance.closeSync()
  }
}
