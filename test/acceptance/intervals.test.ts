import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { archive, keyOf, type Archive } from '../support/archive.js'
import { runCli, summaryOf, temporaryHome, type Ended, type Home } from '../support/cli.js'

type Certificate = {
  verdict: string
  data: { rows: number; expectedRows: number; missingRows: number; offGridRows: number; firstOpenUs: string; lastOpenUs: string }
  findings: { code: string }[]
}
const us = (day: string): string => String(BigInt(Date.parse(`${day}T00:00:00Z`)) * 1000n)

describe('acceptance: long intervals and the futures markets', function () {
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

  const backfill = (symbol: string, interval: string, more: readonly string[]): Promise<Ended> =>
    runCli(['backfill', '--symbols', symbol, '--intervals', interval, ...more, '--json', '-q'], home.env)
  const certificateOf = (dataset: string, symbol: string, interval: string, month: string): Certificate =>
    JSON.parse(readFileSync(join(home.dir, 'lake', dataset, symbol.toLowerCase(), interval, month, 'certificate.json'), 'utf8')) as Certificate

  it('weeks open on Mondays, three days count on from one month to the next, and a month is one bar', async () => {
    const months = ['2024-01', '2024-02', '2024-03']
    for (const interval of ['1w', '3d', '1mo']) await served.months({ symbol: 'LONGUSDT', interval, writtenMs: Date.now() }, months)
    const ended = await backfill('LONGUSDT', '1w,3d,1mo', ['--from', '2024-01', '--to', '2024-03'])
    expect(ended.code, ended.stdout + ended.stderr).to.equal(0)
    expect(summaryOf(ended).partitions).to.include({ verified: 9, provisional: 0 })
    const expected = {
      '1w': { rows: [5, 4, 4], first: ['2024-01-01', '2024-02-05', '2024-03-04'] },
      '3d': { rows: [11, 9, 11], first: ['2024-01-01', '2024-02-03', '2024-03-01'] },
      '1mo': { rows: [1, 1, 1], first: ['2024-01-01', '2024-02-01', '2024-03-01'] },
    }
    for (const [interval, { rows, first }] of Object.entries(expected)) {
      for (const [i, month] of months.entries()) {
        const { data, verdict } = certificateOf('spot-klines', 'LONGUSDT', interval, month)
        const count = rows[i] ?? 0
        expect(verdict).to.equal('verified')
        expect(data, `${interval} ${month}`).to.include({
          rows: count, expectedRows: count, missingRows: 0, offGridRows: 0, firstOpenUs: us(first[i] ?? ''),
        })
      }
    }
  })

  it('a weekly file that lacks its last week is provisional, and looked at again by every run until it is whole', async () => {
    // April 2024 ends on a Tuesday: its last week opens on the 29th and closes in May.
    const week = { symbol: 'WEEKUSDT', interval: '1w', month: '2024-04' }
    const args = ['--from', '2024-03', '--to', '2024-04']
    // The series goes on, or it would be taken for delisted.
    for (const month of ['2024-03', '2024-05']) await served.month({ ...week, month, writtenMs: Date.now() })
    await served.month({ ...week, toMs: Date.parse('2024-04-29') })
    const first = await backfill('WEEKUSDT', '1w', args)
    expect(first.code, first.stdout + first.stderr).to.equal(0)
    expect(summaryOf(first).partitions).to.include({ verified: 1, provisional: 1, quarantined: 0 })
    const open = certificateOf('spot-klines', 'WEEKUSDT', '1w', '2024-04')
    expect(open.verdict).to.equal('provisional')
    expect(open.findings.map(({ code }) => code)).to.include('LAST_BAR_OPEN')
    expect(open.data).to.include({ lastOpenUs: us('2024-04-22'), expectedRows: 5, missingRows: 1 })

    served.forget()
    const again = await backfill('WEEKUSDT', '1w', args)
    expect(again.code).to.equal(0)
    expect(served.sent(), 'only the provisional one is fetched again').to.deep.equal([keyOf(week)])
    expect(summaryOf(again).partitions).to.include({ verified: 1, provisional: 1 })

    await served.month({ ...week, writtenMs: Date.parse('2024-05-03') })
    const early = await backfill('WEEKUSDT', '1w', args)
    expect(summaryOf(early).partitions, 'whole, but written before the week was over').to.include({ verified: 1, provisional: 1 })

    await served.month({ ...week, writtenMs: Date.parse('2024-05-06T03:00Z') })
    const whole = await backfill('WEEKUSDT', '1w', args)
    expect(whole.code).to.equal(0)
    expect(summaryOf(whole).partitions).to.include({ verified: 2, provisional: 0 })
    expect(certificateOf('spot-klines', 'WEEKUSDT', '1w', '2024-04').data).to.include({ rows: 5, missingRows: 0 })
    served.forget()
    await backfill('WEEKUSDT', '1w', args)
    expect(served.sent()).to.deep.equal([])
  })

  it('um files are read with and without a header, and cm ones too', async () => {
    await served.month({ market: 'um', symbol: 'BTCUSDT', interval: '1h', month: '2022-04' })
    await served.month({ market: 'um', symbol: 'BTCUSDT', interval: '1h', month: '2022-05', header: true })
    await served.month({ market: 'cm', symbol: 'BTCUSD_PERP', interval: '1h', month: '2024-02', header: true })
    const um = await backfill('BTCUSDT', '1h', ['--market', 'um', '--from', '2022-04', '--to', '2022-05'])
    expect(um.code, um.stderr).to.equal(0)
    expect(summaryOf(um)).to.deep.include({ rows: 30 * 24 + 31 * 24 })
    const cm = await backfill('btcusd_perp', '1h', ['--market', 'cm', '--from', '2024-02', '--to', '2024-02'])
    expect(cm.code, cm.stderr).to.equal(0)
    expect(summaryOf(cm)).to.deep.include({ rows: 29 * 24 })
    const codes = (month: string): string[] => certificateOf('um-klines', 'BTCUSDT', '1h', month).findings.map(({ code }) => code)
    expect(codes('2022-04')).to.not.include('HEADER_PRESENT')
    expect(codes('2022-05')).to.include('HEADER_PRESENT')
    expect(certificateOf('cm-klines', 'BTCUSD_PERP', '1h', '2024-02').verdict).to.equal('verified')
  })

  it('milliseconds of 2024 and microseconds of 2025 come to the same grid', async () => {
    await served.months({ symbol: 'UNITUSDT', interval: '1h' }, ['2024-12', '2025-01'])
    const ended = await backfill('UNITUSDT', '1h', ['--from', '2024-12', '--to', '2025-01'])
    expect(ended.code, ended.stderr).to.equal(0)
    expect(certificateOf('spot-klines', 'UNITUSDT', '1h', '2024-12').data.lastOpenUs).to.equal(String(BigInt(us('2025-01-01')) - 3_600_000_000n))
    expect(certificateOf('spot-klines', 'UNITUSDT', '1h', '2025-01').data.firstOpenUs).to.equal(us('2025-01-01'))
  })
})
