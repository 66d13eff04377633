import { expect } from 'chai'
import { readdirSync } from 'node:fs'
import { utimes } from 'node:fs/promises'
import { writeKlineFile } from '../../../src/archive-server/kline-file.js'
import { BinanceArchive, slice, type Candle, type Progress, type Slice } from '../../../src/client.js'
import { parsePartitionKey, type Partition, type Series } from '../../../src/domain/partition.js'
import { archive, type Archive } from '../../support/archive.js'
import { failingWith } from '../../support/failing-with.js'
import { tempFolder } from '../../support/temp-folder.js'

const BTC: Series = { dataset: 'spot-klines', symbol: 'BTCUSDT', interval: '1h' }
const JANUARY: Partition = { ...BTC, month: '2024-01' }
const MONTH = { symbol: 'BTCUSDT', interval: '1h', month: '2024-01' }

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

describe('BinanceArchive', () => {
  let served: Archive
  let client: BinanceArchive
  let temporary: Awaited<ReturnType<typeof tempFolder>>
  const before = process.env['TMPDIR']

  beforeEach(async () => {
    served = await archive()
    client = new BinanceArchive({ archiveUrl: served.url })
    temporary = await tempFolder()
    process.env['TMPDIR'] = temporary.path
  })
  afterEach(async () => {
    await client.close()
    await served.close()
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
    const left = readdirSync(temporary.path)
    await temporary.remove()
    expect(left, 'left in the folder for temporary files').to.deep.equal([])
  })

  const candles = async (at: Partition | Slice): Promise<Candle<string>[]> => (await all(client.candles(at))).flat()
  const daily = (label: string, lines: readonly string[]) =>
    writeKlineFile({ root: served.root, market: 'spot', period: 'daily', symbol: 'BTCUSDT', interval: '1h', label, rows: lines })
  const linesOf = (day: number): string[] => served.lines(MONTH).slice((day - 1) * 24, day * 24)

  it('gives a month, number for number what the CSV says', async () => {
    await served.month(MONTH)
    const rows = await candles(JANUARY)
    const want = served.lines(MONTH).map((line) => line.split(','))
    expect(rows).to.have.length(744)
    expect(rows[743]?.openTimeUs).to.equal(BigInt(want[743]?.[0] ?? '') * 1_000n)
    for (const [i, row] of rows.entries()) {
      expect([row.open, row.high, row.low, row.close, row.volume]).to.deep.equal(want[i]?.slice(1, 6))
      expect([row.quoteVolume, String(row.trades), row.takerBuyVolume]).to.deep.equal(want[i]?.slice(7, 10))
    }
  })

  it('gives a range of months in order, with downloads ahead of the reading, and tells how far it is', async () => {
    const months = ['2023-11', '2023-12', '2024-01', '2024-02']
    await served.months(MONTH, months)
    const told: Progress[] = []
    const times: bigint[] = []
    let sentAtFirst = 0
    for await (const batch of client.candles(slice(BTC, '2023-10', '2024-02'), { onProgress: (p) => told.push(p) })) {
      if (times.length === 0) sentAtFirst = served.sent().length
      times.push(...batch.map((row) => row.openTimeUs))
    }
    expect(times).to.have.length(24 * (30 + 31 + 31 + 29))
    expect(times).to.deep.equal([...times].sort((a, b) => (a < b ? -1 : 1)))
    expect(sentAtFirst, 'downloads begun before the first row was given').to.be.greaterThan(1)
    expect(told.at(-1)).to.include({ stage: 'read', done: 4, total: 4 })
    const last = told.filter(({ stage }) => stage === 'download').at(-1)
    expect(last).to.include({ done: 4, total: 4, bytes: last?.bytesTotal ?? -1 })
  })

  it('reads a day from its daily file, and part of a day as asked', async () => {
    await served.month(MONTH)
    await daily('2024-01-05', linesOf(5))
    expect(await candles(slice(BTC, '2024-01-05', '2024-01-06'))).to.have.length(24)
    expect(served.sent().filter((path) => !path.startsWith('?'))).to.deep.equal(['data/spot/daily/klines/BTCUSDT/1h/BTCUSDT-1h-2024-01-05.zip'])
    const part = await candles(slice(BTC, '2024-01-05T06:00', '2024-01-05T09:00'))
    expect(part.map(({ openTimeUs }) => Number(openTimeUs) / 3.6e9 % 24)).to.deep.equal([6, 7, 8])
  })

  it('falls back to the dailies of a month without a ZIP, and drops what two of them repeat', async () => {
    await daily('2024-01-02', [...linesOf(2), ...linesOf(2).slice(0, 3)])
    await daily('2024-01-01', linesOf(1))
    expect(await candles(JANUARY)).to.have.length(48)
  })

  it('lists symbols, intervals and months, those of a listing that ended too', async () => {
    await served.months({ symbol: 'LUNAUSDT', interval: '1h' }, ['2021-01', '2020-12'])
    await served.month({ symbol: 'LUNAUSDT', interval: '1d', month: '2021-01' })
    await served.month({ symbol: '币安人生USDT', interval: '1m', month: '2024-01', toMs: Date.UTC(2024, 0, 1, 1) })
    await daily('2024-01-01', linesOf(1))
    expect(await all(client.list('symbols', BTC))).to.deep.equal(['BTCUSDT', 'LUNAUSDT', '币安人生USDT'])
    const luna: Series = { ...BTC, symbol: 'LUNAUSDT' }
    expect(await all(client.list('intervals', luna))).to.deep.equal(['1h', '1d'])
    expect(await all(client.list('months', luna))).to.deep.equal(['2020-12', '2021-01'])
    expect(await client.latestAvailableMonth(luna)).to.equal('2021-01')
    expect(await client.latestAvailableMonth({ ...luna, interval: '1m' })).to.equal(null)
    await failingWith('BAD_USAGE', all(client.list('months', { dataset: 'spot-klines' })))
  })

  it('says ARCHIVE_ABSENT where there is nothing', async () => {
    await served.month(MONTH)
    expect((await failingWith('ARCHIVE_ABSENT', candles({ ...JANUARY, month: '2024-02' }))).at)
      .to.equal('spot-klines/BTCUSDT/1h/2024-02')
    await failingWith('ARCHIVE_ABSENT', candles(slice({ ...BTC, symbol: 'NOSUCH' }, '2024-01', '2024-03')))
  })

  it('says CORRUPT for what the lake would quarantine, and gives no row of that month', async () => {
    const lines = served.lines(MONTH)
    const spoilt = lines.map((line, i) => (i === 700 ? line.replace(/^(\d+),[^,]*/, '$1,-3') : line))
    await served.placeCsv(MONTH, spoilt)
    expect((await failingWith('CORRUPT', candles(JANUARY))).facts['finding']).to.equal('PRICE_NOT_POSITIVE')
    const finer = served.lines({ ...MONTH, interval: '15m' })
    await served.placeCsv(MONTH, finer)
    expect((await failingWith('CORRUPT', candles(JANUARY))).facts['finding']).to.equal('CROWDED_ROWS')
  })

  it('says CORRUPT for a ZIP with a wrong bit', async () => {
    await served.month(MONTH)
    served.faults.set({ flipBits: true, match: /\.zip$/ })
    const { facts } = await failingWith('CORRUPT', candles(JANUARY))
    expect(facts['finding']).to.be.oneOf(['ZIP_CORRUPT', 'ZIP_REFUSED'])
    expect(served.faults.counts.flipBits).to.be.greaterThan(0)
  })

  it('comes through an archive that fails now and then', async () => {
    await served.months(MONTH, ['2024-01', '2024-02'])
    served.faults.set([
      { errorRate: 1, errorStatus: 500, firstPerPath: 1 }, { truncate: true, firstPerPath: 1, match: /\.zip$/ },
    ])
    expect(await candles(slice(BTC, '2024-01', '2024-02'))).to.have.length(24 * 60)
    expect(served.faults.counts.errorRate).to.be.greaterThan(2)
    expect(served.faults.counts.truncate).to.equal(2)
  })

  it('says ARCHIVE_UNREACHABLE when it is', async () => {
    await served.month(MONTH)
    served.faults.set({ dropFrom: 0 })
    await failingWith('ARCHIVE_UNREACHABLE', candles(JANUARY))
    expect(served.faults.counts.dropFrom).to.be.greaterThan(1)
  })

  it('an abort rejects with its reason, in the middle of a download', async () => {
    await served.month(MONTH)
    served.faults.set({ bytesPerSecond: 2_000, match: /\.zip$/ })
    const controller = new AbortController()
    const reason = new Error('enough')
    const onProgress = ({ bytes }: Progress): void => (bytes > 0 ? controller.abort(reason) : undefined)
    let thrown: unknown
    await all(client.candles(JANUARY, { signal: controller.signal, onProgress })).catch((error: unknown) => (thrown = error))
    expect(thrown).to.equal(reason)
    expect(served.faults.counts.bytesPerSecond).to.be.greaterThan(0)
  })

  it('an abort before the start asks for nothing', async () => {
    const reason = new Error('too late')
    let thrown: unknown
    await all(client.candles(JANUARY, { signal: AbortSignal.abort(reason) })).catch((error: unknown) => (thrown = error))
    expect(thrown).to.equal(reason)
    expect(served.sent()).to.deep.equal([])
  })

  it('leaving the loop ends downloads under way', async () => {
    await served.months(MONTH, ['2024-01', '2024-02', '2024-03'])
    served.faults.set({ bytesPerSecond: 1_000, match: /2024-0[23]\.zip$/ })
    for await (const batch of client.candles(slice(BTC, '2024-01', '2024-03'))) {
      expect(batch.length).to.be.greaterThan(0)
      break
    }
    expect(served.faults.counts.bytesPerSecond, 'downloads that were slow').to.be.greaterThan(0)
  })

  it('reads a month again after the archive wrote it anew', async () => {
    const { path } = await served.month({ ...MONTH, toMs: Date.UTC(2024, 0, 2) })
    expect(await candles(JANUARY)).to.have.length(24)
    await served.month(MONTH)
    await utimes(path, 1_800_000_000, 1_800_000_000)
    expect(await candles(parsePartitionKey('spot-klines/btcusdt/1h/2024-01'))).to.have.length(744)
  })

  it('refuses calls once it is closed', async () => {
    await client.close()
    await failingWith('INTERRUPTED', candles(JANUARY))
    await client.close()
  })
})
