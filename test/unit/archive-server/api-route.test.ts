import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeKlineFile } from '../../../src/archive-server/kline-file.js'
import { startArchiveServer } from '../../../src/archive-server/server.js'
import { syntheticCandles } from '../../../src/archive-server/synthetic-candles.js'
import { realArchiveDir } from '../../support/real-archive.js'
import { archiveUnderTest, type ArchiveUnderTest } from './archive-under-test.js'

const at = (text: string): number => Date.parse(text)
const MINUTE_MS = 60_000

describe('/api/v3/klines', () => {
  let archive: ArchiveUnderTest
  let nowMs = at('2025-01-02T00:00:30Z')
  const lines: string[] = []
  const rows = async (query: string) =>
    JSON.parse((await archive.ask(`/api/v3/klines?symbol=BTCUSDT&interval=1m&${query}`)).text) as (string | number)[][]

  before(async () => {
    archive = await archiveUnderTest({ now: () => nowMs })
    const file = { root: archive.root, market: 'spot', symbol: 'BTCUSDT', interval: '1m' } as const
    const days = { seed: 1, stepMs: MINUTE_MS }
    const december = [...syntheticCandles({ ...days, fromMs: at('2024-12-30'), toMs: at('2025-01-01') })]
    const january = [...syntheticCandles({ ...days, fromMs: at('2025-01-01'), toMs: at('2025-01-04'), unit: 'us' })]
    await writeKlineFile({ ...file, period: 'monthly', label: '2024-12', rows: december })
    await writeKlineFile({ ...file, period: 'monthly', label: '2025-01', rows: january.slice(0, 2_880) })
    await writeKlineFile({ ...file, period: 'daily', label: '2025-01-02', rows: january.slice(1_440, 2_880) })
    await writeKlineFile({ ...file, period: 'daily', label: '2025-01-03', rows: january.slice(2_880) })
    lines.push(...december, ...january)
  })
  after(() => archive.close())

  it('gives the rows of its files as the exchange does, in milliseconds, over the ends of files', async () => {
    const found = await rows(`startTime=${at('2024-12-31T23:50Z')}&limit=1000`)
    expect(found.slice(0, -1).map((row) => row.slice(0, 6).join())).to.deep.equal(lines.slice(2_870, 4_320).slice(0, 999)
      .map((line) => line.split(',').map((cell, i) => (i === 0 ? cell.slice(0, 13) : cell)).slice(0, 6).join()))
    expect(found).to.have.length(1_000)
    expect(found[0]).to.have.length(12)
    expect([typeof found[0]?.[0], typeof found[0]?.[1], typeof found[0]?.[8]]).to.deep.equal(['number', 'string', 'number'])
  })

  it('ends with the candle that is open, and never shows a later one', async () => {
    const [closed, open, ...more] = (await rows(`startTime=${at('2025-01-01T23:59Z')}`))
    expect(more).to.deep.equal([])
    expect(closed?.[6]).to.equal(at('2025-01-02') - 1)
    expect(open?.slice(5)).to.deep.equal(['0.00000000', at('2025-01-02T00:01Z') - 1, '0.00000000', 0, '0.00000000', '0.00000000', '0'])
    expect(new Set(open?.slice(1, 5)).size, 'prices so far').to.equal(1)
    nowMs += MINUTE_MS
    expect((await rows(`startTime=${at('2025-01-02')}`)).map(([ms]) => ms)).to.deep.equal([at('2025-01-02'), at('2025-01-02T00:01Z')])
  })

  it('without a start gives the newest, up to the end', async () => {
    expect(await rows('')).to.have.length(500)
    const found = await rows(`endTime=${at('2025-01-01T00:01Z')}&limit=3`)
    expect(found.map(([ms]) => ms)).to.deep.equal(['2024-12-31T23:59Z', '2025-01-01T00:00Z', '2025-01-01T00:01Z'].map(at))
  })

  it('tells its time and the weight that was used', async () => {
    const [one, two] = [await archive.ask('/api/v3/time'), await archive.ask('/api/v3/klines?symbol=BTCUSDT&interval=1m')]
    expect(JSON.parse(one.text)).to.deep.equal({ serverTime: nowMs })
    expect(at(String(two.headers.date))).to.equal(Math.floor(nowMs / 1_000) * 1_000)
    const used = [one, two].map(({ headers }) => Number(headers['x-mbx-used-weight-1m']))
    expect([1, 2]).to.include((used[1] ?? 0) - (used[0] ?? 0) || 2)
  })

  for (const [query, code] of [
    ['symbol=NOPE&interval=1m', -1121], ['symbol=BTCUSDT&interval=7m', -1120], ['interval=1m', -1102],
    ['symbol=BTCUSDT&interval=1m&limit=x', -1102], ['symbol=BTCUSDT&interval=1mo', -1120], ['symbol=..&interval=1m', -1100],
  ] as const) {
    it(`refuses ${query} with ${code}`, async () => {
      const { status, text } = await archive.ask(`/api/v3/klines?${query}`)
      expect([status, (JSON.parse(text) as { code: number }).code]).to.deep.equal([400, code])
    })
  }

  it('refuses as the exchange does: 429, 418, 451, and too much weight', async () => {
    const { faults } = archive.server
    const ask = async () => {
      const { status, headers, text } = await archive.ask('/api/v3/time')
      return [status, headers['retry-after'] ?? null, (JSON.parse(text) as { code?: number }).code]
    }
    faults.set({ tooManyRequests: { count: 1, retryAfterSeconds: 7 } })
    expect(await ask()).to.deep.equal([429, '7', -1003])
    faults.set({ bannedSeconds: 120, times: 1 })
    expect(await ask()).to.deep.equal([418, '120', -1003])
    faults.set({ restricted: true, times: 1 })
    expect(await ask()).to.deep.equal([451, null, 0])
    faults.set({ usedWeight: 6_001, times: 1 })
    expect((await ask())[0]).to.equal(429)
    expect((await ask())[0]).to.equal(200)
    expect(faults.counts).to.include({ tooManyRequests: 1, bannedSeconds: 1, restricted: 1, usedWeight: 1 })
    faults.clear()
  })

  const real = realArchiveDir()
  if (real !== null) it('serves real files in the shape of a real answer', async () => {
    const server = await startArchiveServer({ root: real })
    try {
      const query = `symbol=BTCUSDT&interval=1m&startTime=${at('2025-01-02T00:00Z')}&limit=2`
      const found = await (await fetch(`${server.url}/api/v3/klines?${query}`)).json() as unknown[][]
      const sample = join(real, 'rest/http_spot_market_klines.json')
      const [wanted] = JSON.parse(readFileSync(sample, 'utf8')) as unknown[][]
      expect(found).to.have.length(2)
      expect(found[0]?.map((cell) => typeof cell)).to.deep.equal(wanted?.map((cell) => typeof cell))
    } finally {
      await server.close()
    }
  })
})
