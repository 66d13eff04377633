import { tableFromIPC } from 'apache-arrow'
import { expect } from 'chai'
import { join } from 'node:path'
import { ParquetLake } from '../../../src/compose-parquet-lake.js'
import type { Partition } from '../../../src/domain/partition.js'
import { parsePartitionKey, type Series } from '../../../src/domain/partition.js'
import { slice } from '../../../src/domain/slice.js'
import { CandleQuery } from '../../../src/lake/candle-query.js'
import { CandleFiles } from '../../support/candle-files.js'
import { failingWith } from '../../support/failing-with.js'
import { tempFolder } from '../../support/temp-folder.js'

const BTC_1M: Series = { dataset: 'spot-klines', symbol: 'BTCUSDT', interval: '1m' }
const at = (text: string): bigint => BigInt(Date.parse(text)) * 1_000n

describe('questions to a lake', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let files: CandleFiles
  let lake: ParquetLake
  let query: CandleQuery
  let root: string

  before(async () => {
    folder = await tempFolder()
    root = join(folder.path, 'lake')
    files = await CandleFiles.in(root)
    for (const key of [
      'BTCUSDT/1m/2024-01',
      'BTCUSDT/1m/2024-02',
      'ETHUSDT/1m/2024-01',
      'BTCUSDT/1h/2024-01',
      'BTCUSDT/1h/2024-03',
    ]) {
      await files.write(`spot-klines/${key}`)
    }
    await files.write('um-klines/BTCUSDT/1h/2024-01')
    lake = await ParquetLake.open(root)
    query = new CandleQuery(lake)
  })

  after(async () => {
    await query.close()
    await lake.close()
    files.close()
    await folder.remove()
  })

  const glob = (series: string): string => `read_parquet('${join(root, 'spot-klines', series)}/**/data.parquet')`

  describe('as columns and Arrow', () => {
    const sql = `select open_time, close, trades, symbol, close > 20000 as dear, nullif(trades % 3, 0) as thirds
      from spot_klines where interval = '1m' and symbol = 'ETHUSDT' order by open_time`

    it('columns are typed arrays', async () => {
      const columns = await query
        .sql<{ open_time: bigint; close: number; trades: bigint; thirds: bigint }>(sql)
        .columns()
      expect(columns.open_time).to.be.instanceOf(BigInt64Array)
      expect(columns.close).to.be.instanceOf(Float64Array)
      expect(columns.close.length).to.equal(44_640)
      expect(columns.thirds[0]).to.be.oneOf([null, 1n, 2n])
    })

    it('an Arrow stream holds the same rows, by another reader', async () => {
      const rows = await query.sql<Record<string, unknown>>(sql).rows()
      const pieces: Uint8Array[] = []
      for await (const piece of query.sql(sql).arrow()) pieces.push(piece)
      expect(pieces.length).to.be.greaterThan(3)
      const table = tableFromIPC(Buffer.concat(pieces))
      expect(table.numRows).to.equal(rows.length)
      expect(table.schema.fields.map(({ name, type }) => `${name} ${String(type)}`)).to.deep.equal([
        'open_time Timestamp<MICROSECOND, UTC>',
        'close Float64',
        'trades Int64',
        'symbol Utf8',
        'dear Bool',
        'thirds Int64',
      ])
      for (const n of [0, 1, 16_383, 16_384, 44_639]) {
        const row = table.get(n)?.toJSON() as Record<string, unknown>
        const want = rows[n]!
        expect(Number(row['thirds']), String(n)).to.equal(Number(want['thirds']))
        expect([row['close'], row['symbol'], row['dear'], Number(row['trades'])]).to.deep.equal([
          want['close'],
          'ETHUSDT',
          want['dear'],
          want['trades'],
        ])
        expect(BigInt(row['open_time'] as number) * 1_000n).to.equal(want['open_time'])
      }
    })

    it('an Arrow stream without rows has a schema', async () => {
      const pieces: Uint8Array[] = []
      for await (const piece of query.sql('select close from spot_klines where false').arrow()) pieces.push(piece)
      expect(tableFromIPC(Buffer.concat(pieces)).schema.fields.map(({ name }) => name)).to.deep.equal(['close'])
    })
  })

  describe('resampling', () => {
    it('is what the bars of a bucket come to, and says which are whole', async () => {
      const day = slice(BTC_1M, '2024-01-10T00:30', '2024-01-11T12:10')
      const rows = await query.resample(day, '1h').rows()
      expect(rows).to.have.length(37)
      expect(rows.map(({ complete }) => complete)).to.deep.equal([false, ...Array<boolean>(35).fill(true), false])
      const bars = await lake.read({ ...day, fromUs: at('2024-01-10T05:00Z'), toUs: at('2024-01-10T06:00Z') }).rows()
      const five = rows.find(({ openTimeUs }) => openTimeUs === at('2024-01-10T05:00Z'))
      expect(bars).to.have.length(60)
      expect(five).to.deep.include({
        open: bars[0]?.open,
        close: bars.at(-1)?.close,
        closeTimeUs: bars.at(-1)?.closeTimeUs,
        complete: true,
        high: Math.max(...bars.map(({ high }) => high)),
        low: Math.min(...bars.map(({ low }) => low)),
        trades: bars.reduce((sum, { trades }) => sum + trades, 0),
      })
      expect(five?.volume).to.be.closeTo(
        bars.reduce((sum, { volume }) => sum + volume, 0),
        1e-6,
      )
    })

    it('weeks begin on Monday, months on the 1st, three-day bars where the exchange has them', async () => {
      const all = slice(BTC_1M, '2024-01', '2024-02')
      const opens = async (interval: string) =>
        (await query.resample(all, interval).rows()).map(
          ({ openTimeUs, complete }) =>
            `${new Date(Number(openTimeUs / 1_000n)).toISOString().slice(0, 10)} ${complete}`,
        )
      expect(await opens('1mo')).to.deep.equal(['2024-01-01 true', '2024-02-01 true'])
      expect((await opens('1w')).slice(0, 2)).to.deep.equal(['2024-01-01 true', '2024-01-08 true'])
      expect((await opens('1w')).at(-1)).to.equal('2024-02-26 false')
      expect((await opens('3d'))[0]).to.equal('2024-01-01 true')
    })

    it('to what is no multiple is refused', async () => {
      await failingWith('BAD_INTERVAL', () =>
        Promise.resolve().then(() =>
          query.resample(slice({ ...BTC_1M, interval: '3m' }, '2024-01', '2024-01'), '5m'),
        ),
      )
      await failingWith('BAD_INTERVAL', () =>
        Promise.resolve().then(() => query.resample(slice(BTC_1M, '2024-01', '2024-01'), '1s')),
      )
      await failingWith('BAD_INTERVAL', () =>
        Promise.resolve().then(() =>
          query.resample(slice({ ...BTC_1M, interval: '1w' }, '2024-01', '2024-01'), '1mo'),
        ),
      )
    })
  })

  it('statistics come from footers where these tell, else from a scan, and both say the same', async () => {
    const figures = (
      await files.query(
        `select count(*), min(low), max(high), avg(close), avg(volume) from ${glob('btcusdt/1m/2024-01')}`,
      )
    )[0]!
    const whole = await query.stats(slice(BTC_1M, '2024-01', '2024-01'))
    expect(whole.from).to.deep.equal({ rows: 'footer', bounds: 'footer', prices: 'footer', averages: 'scan' })
    expect([whole.rows, whole.low, whole.high].map(Number)).to.deep.equal(figures.slice(0, 3).map(Number))
    expect(whole.averageClose).to.be.closeTo(Number(figures[3]), 1e-6)
    expect(whole.averageVolume).to.be.closeTo(Number(figures[4]), 1e-6)
    expect([whole.firstOpenUs, whole.lastOpenUs]).to.deep.equal([at('2024-01-01'), at('2024-01-31T23:59Z')])
    const cut = await query.stats(slice(BTC_1M, '2024-01-01', '2024-01-31T23:59'))
    expect(cut.from.rows).to.equal('scan')
    expect([cut.rows, cut.lastOpenUs]).to.deep.equal([44_639, at('2024-01-31T23:58Z')])
    const none = await query.stats(slice({ ...BTC_1M, symbol: 'XRPUSDT' }, '2024-01', '2024-01'))
    expect(none).to.deep.include({ rows: 0, firstOpenUs: null, low: null, averageClose: null })
  })

  it('aggregates by free expressions, which are SQL and no more', async () => {
    const month = slice(BTC_1M, '2024-01', '2024-01')
    const rows = await query
      .aggregate<{ day: string; high: number; n: number }>(month, ["strftime(open_time, '%d') as day"], {
        high: 'max(high)',
        n: 'count(*)',
      })
      .rows()
    expect(rows).to.have.length(31)
    expect(rows[0]).to.deep.include({ day: '01', n: 1_440 })
    await failingWith(
      'SQL_REFUSED',
      query.aggregate(month, [], { x: `(select max(content) from read_text('/etc/passwd'))` }).rows(),
    )
  })

  describe('a lake by partitions', () => {
    const p = (key: string): Partition => parsePartitionKey(`spot-klines/${key}`)

    it('lists what it has', async () => {
      const keys: string[] = []
      for await (const { symbol, interval, month } of lake.list({ dataset: 'spot-klines', interval: '1m' }))
        keys.push(`${symbol}/${interval}/${month}`)
      expect(keys).to.deep.equal(['BTCUSDT/1m/2024-01', 'BTCUSDT/1m/2024-02', 'ETHUSDT/1m/2024-01'])
    })

    it('reads a partition, columns of it, and a range over partitions, in time order', async () => {
      const all = await lake.read(p('BTCUSDT/1h/2024-01')).rows()
      expect(all).to.have.length(744)
      expect(all[0]).to.have.keys(
        'openTimeUs',
        'closeTimeUs',
        'open',
        'high',
        'low',
        'close',
        'volume',
        'quoteVolume',
        'trades',
        'takerBuyVolume',
        'takerBuyQuoteVolume',
      )
      expect(typeof all[0]?.trades).to.equal('number')
      const some = lake.read(slice(BTC_1M, '2024-01-31T23:00', '2024-02-01T01:00'), ['openTimeUs', 'close'])
      const rows = await some.rows()
      expect(rows.map(({ openTimeUs }) => openTimeUs)).to.deep.equal(
        Array.from({ length: 120 }, (_, n) => at('2024-01-31T23:00Z') + BigInt(n) * 60_000_000n),
      )
      expect(rows[0]).to.have.keys('openTimeUs', 'close')
      expect((await some.cost).files).to.equal(2)
    })

    it('reads two columns for fewer bytes than all, as the footer says', async () => {
      const [few, all] = [
        lake.read(p('ETHUSDT/1m/2024-01'), ['openTimeUs', 'close']),
        lake.read(p('ETHUSDT/1m/2024-01')),
      ]
      await few.rows()
      await all.rows()
      expect((await few.cost).bytesRead).to.be.lessThan((await all.cost).bytesRead / 3)
    })

    it('says what the footer says, having read the footer only', async () => {
      const stats = await (await ParquetLake.open(root)).stats(p('BTCUSDT/1m/2024-01'))
      const { bytes: size } = (await lake.object(p('BTCUSDT/1m/2024-01')))!
      expect(stats).to.deep.include({
        rows: 44_640,
        bytes: size,
        codec: 'zstd',
        firstOpenUs: at('2024-01-01'),
        lastOpenUs: at('2024-01-31T23:59Z'),
      })
      expect(stats.bytesRead).to.be.within(1, 8 * 1_024)
      expect(size).to.be.greaterThan(20 * stats.bytesRead)
      const [min, max] = (
        await files.query(`select min(close), max(close) from ${glob('btcusdt/1m/2024-01')}`)
      )[0] as number[]
      expect(stats.columns['close']).to.deep.include({ min, max, nulls: 0, type: 'DOUBLE' })
      expect(stats.columns['symbol']).to.deep.include({ min: 'BTCUSDT', max: 'BTCUSDT' })
    })

    it('a partition that is not there is PARTITION_ABSENT; a slice of nothing has no rows', async () => {
      await failingWith('PARTITION_ABSENT', lake.read(p('XRPUSDT/1m/2024-01')).rows())
      await failingWith('PARTITION_ABSENT', lake.stats(p('XRPUSDT/1m/2024-01')))
      expect(await lake.read(slice({ ...BTC_1M, symbol: 'XRPUSDT' }, '2024-01', '2024-01')).rows()).to.deep.equal([])
    })
  })
})
