import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { archive, keyOf, type Archive, type MonthFile } from '../support/archive.js'
import { filesBelow, lastJson, runCli, summaryOf, temporaryHome, type Ended, type Home } from '../support/cli.js'
import { realArchiveDir } from '../support/real-archive.js'

type Case = {
  readonly file: string
  readonly at: MonthFile
  readonly rows?: number
  /** Findings that its certificate must show; every other one than these and `ALSO` fails. */
  readonly findings?: readonly string[]
  readonly quarantined?: { readonly code: string; readonly message: RegExp }
}

const um = (symbol: string): MonthFile => ({ market: 'um', symbol, interval: '1m', month: '2025-01' })
const spot = (symbol: string, month = '2025-01'): MonthFile => ({ symbol, interval: '1m', month })

/** Each is a day's file that plays a whole month: the other days are missing, and the member has the day's name. */
const ALSO = ['GAP_BEFORE_LISTING', 'GAP_AFTER_DELISTING', 'GAP_ARCHIVE_HOLE', 'GAP_UNKNOWN', 'MEMBER_NAME_UNUSUAL', 'INEXACT_VALUES']

const CASES: readonly Case[] = [
  { file: 'spot_klines_header_prepended.zip', at: spot('HEADERUSDT'), rows: 1440, findings: ['HEADER_PRESENT'] },
  { file: 'futures_klines_header_stripped.zip', at: um('STRIPPEDUSDT'), rows: 1440, findings: [] },
  { file: 'spot_klines_rows_out_of_order.zip', at: spot('ORDERUSDT'), rows: 1440, findings: ['ROWS_OUT_OF_ORDER'] },
  { file: 'spot_klines_gapped_bar_block.zip', at: spot('GAPPEDUSDT'), rows: 1430, findings: [] },
  {
    file: 'spot_klines_negative_volume.zip', at: spot('NEGATIVEUSDT'),
    quarantined: { code: 'CORRUPT', message: /volume/ },
  },
  {
    file: 'spot_klines_truncated_archive.zip', at: spot('TRUNCATEDUSDT'),
    quarantined: { code: 'ZIP_CORRUPT', message: /./ },
  },
  {
    file: 'damaged-ADABTC-1m-2021-11-27.zip', at: spot('ADABTC', '2021-11'),
    quarantined: { code: 'ZIP_CORRUPT', message: /./ },
  },
]

type Entry = { partition: string; code: string; message: string; kept: string | null; since: string; generation: number }
type Certificate = {
  data: { rows: number; missingRows: number; duplicatesDropped: number }
  gaps: { fromUs: string; toUs: string; bars: number }[]
  findings: { code: string; count: number; example: string | null }[]
}

const real = realArchiveDir();

(real === null ? describe.skip : describe)('acceptance: the damaged files of the real archive', function () {
  this.timeout(240_000)
  let served: Archive
  let home: Home
  const runs: Ended[] = []
  const nameOf = ({ at }: Case): string => `${at.market ?? 'spot'}-klines/${at.symbol}/${at.interval}/${at.month}`
  const folderOf = ({ at }: Case): string =>
    join(home.dir, 'lake', `${at.market ?? 'spot'}-klines`, at.symbol.toLowerCase(), at.interval, at.month)
  const bytesOf = ({ file }: Case): Buffer => readFileSync(join(real ?? '', 'bad', file))

  before(async () => {
    served = await archive()
    for (const one of CASES) await served.place(one.at, bytesOf(one))
    home = await temporaryHome({ ARCHIVE_URL: served.url }, { up: true })
    for (const market of ['spot', 'um']) {
      const args = ['backfill', '--market', market, '--symbols', 'all', '--intervals', '1m', '--from', '2021-11', '--to', '2025-01']
      runs.push(await runCli([...args, '--json', '-q'], home.env))
    }
  })

  after(async () => {
    await home.remove()
    await served.close()
  })

  it('are all of them', () => {
    expect(CASES.map(({ file }) => file).sort()).to.deep.equal(filesBelow(join(real ?? '', 'bad')))
  })

  it('end a run with 2 where some are quarantined, and with 0 where none is', () => {
    expect(runs.map(({ code }) => code), runs.map(({ stderr }) => stderr).join()).to.deep.equal([2, 0])
    expect(runs.map((run) => summaryOf(run).partitions)).to.deep.equal([
      { verified: 3, provisional: 0, absent: 0, late: 0, quarantined: 3, failed: 0 },
      { verified: 1, provisional: 0, absent: 0, late: 0, quarantined: 0, failed: 0 },
    ])
    expect(runs.map((run) => summaryOf(run).rows)).to.deep.equal([1440 + 1440 + 1430, 1440])
  })

  for (const one of CASES.filter(({ rows }) => rows !== undefined)) {
    it(`${one.file} is accepted with ${one.findings?.join() || 'nothing but its missing days'}`, () => {
      const certificate = JSON.parse(readFileSync(join(folderOf(one), 'certificate.json'), 'utf8')) as Certificate
      expect(certificate.data).to.include({ rows: one.rows, missingRows: 31 * 1440 - (one.rows ?? 0), duplicatesDropped: 0 })
      const codes = certificate.findings.map(({ code }) => code).filter((code) => !ALSO.includes(code))
      expect(codes).to.deep.equal(one.findings)
    })
  }

  it('the certificate of gapped_bar_block names the ten minutes that are missing within the day', () => {
    const gapped = CASES.find(({ file }) => file.includes('gapped')) as Case
    const { gaps } = JSON.parse(readFileSync(join(folderOf(gapped), 'certificate.json'), 'utf8')) as Certificate
    const inside = gaps.filter(({ fromUs, toUs }) => BigInt(toUs) - BigInt(fromUs) === 600_000_000n)
    expect(inside).to.have.length(1)
  })

  it('the others are listed with code, message and where the file is kept, which is whole', async () => {
    const { items } = lastJson(await runCli(['quarantine', 'list', '--json'], home.env)) as { items: Entry[] }
    const bad = CASES.filter(({ quarantined }) => quarantined !== undefined)
    expect(items.map(({ partition }) => partition).sort()).to.deep.equal(bad.map(nameOf).sort())
    for (const one of bad) {
      const entry = items.find(({ partition }) => partition === nameOf(one))
      expect(entry?.code, one.file).to.equal(one.quarantined?.code)
      expect(entry?.message, one.file).to.match(one.quarantined?.message ?? /^$/)
      const kept = filesBelow(entry?.kept ?? '')
      expect(kept, one.file).to.have.length(1)
      expect(readFileSync(join(entry?.kept ?? '', kept[0] ?? '')).equals(bytesOf(one)), one.file).to.equal(true)
      expect(filesBelow(folderOf(one)), 'nothing of it in the lake').to.deep.equal([])
    }
    const words = await runCli(['quarantine', 'list', 'spot-klines/NEG*'], home.env)
    expect(words.stdout).to.match(/^\d{4}-\S+Z {2}spot-klines\/NEGATIVEUSDT\/1m\/2025-01 {2}CORRUPT: .*volume/)
    expect(words.stdout.trim().split('\n')).to.have.length(1)
  })

  it('a retry of the same bytes gives the same verdict; of repaired ones it verifies them', async () => {
    const [negative, good] = [CASES.find(({ file }) => file.includes('negative')) as Case, CASES.find(({ file }) => file.includes('order')) as Case]
    const retry = ['quarantine', 'retry', 'spot-klines/NEGATIVEUSDT/1m/*', '--json', '-q']
    const dry = await runCli([...retry, '--dry-run'], home.env)
    expect(lastJson(dry)).to.include({ type: 'plan', todo: 1 })
    const same = await runCli(retry, home.env)
    expect(same.code, same.stderr).to.equal(2)
    expect(summaryOf(same).partitions).to.include({ verified: 0, quarantined: 1 })

    await served.place(negative.at, bytesOf(good))
    served.forget()
    const repaired = await runCli(retry, home.env)
    expect(repaired.code, repaired.stderr).to.equal(0)
    expect(summaryOf(repaired).partitions).to.include({ verified: 1, quarantined: 0 })
    expect(served.sent()).to.deep.equal([keyOf(negative.at)])
    const { items } = lastJson(await runCli(['quarantine', 'list', '--json'], home.env)) as { items: Entry[] }
    expect(items.map(({ partition }) => partition)).to.not.include(nameOf(negative))
    expect(filesBelow(folderOf(negative))).to.deep.equal(['certificate.json', 'data.parquet'])
    const kept = filesBelow(join(home.dir, 'quarantine')).filter((name) => name.toLowerCase().includes('negative'))
    expect(kept, 'what is verified need not be kept for a person').to.deep.equal([])
  })

  it('a repaired file is also found by the next backfill, because the listing shows another ETag', async () => {
    const [truncated, good] = [CASES.find(({ file }) => file.includes('truncated')) as Case, CASES.find(({ file }) => file.includes('prepended')) as Case]
    await served.place(truncated.at, bytesOf(good))
    const args = ['backfill', '--symbols', 'TRUNCATEDUSDT', '--intervals', '1m', '--from', '2025-01', '--to', '2025-01', '--json', '-q']
    const ended = await runCli(args, home.env)
    expect(ended.code, ended.stderr).to.equal(0)
    expect(summaryOf(ended).partitions).to.include({ verified: 1 })
  })
})
