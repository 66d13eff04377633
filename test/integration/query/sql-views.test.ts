import { expect } from 'chai'
import fc from 'fast-check'
import { join } from 'node:path'
import { ParquetLake } from '../../../src/compose-parquet-lake.js'
import { CandleQuery } from '../../../src/lake/candle-query.js'
import { CandleFiles } from '../../support/candle-files.js'
import { failingWith } from '../../support/failing-with.js'
import { tempFolder } from '../../support/temp-folder.js'

const at = (text: string): bigint => BigInt(Date.parse(text)) * 1_000n

describe('SQL over the views of a lake', () => {
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

  const planned: readonly (readonly [sql: string, files: number])[] = [
    [`select count(*) from spot_klines`, 5],
    [`select count(*) from um_klines`, 1],
    [`select count(*) from cm_klines`, 0],
    [`select 1`, 0],
    [`select count(*) from spot_klines where symbol = 'ETHUSDT'`, 1],
    [`select count(*) from spot_klines where symbol = 'ethusdt'`, 0],
    [`select count(*) from spot_klines where symbol in ('ETHUSDT', 'XRPUSDT')`, 1],
    [`select count(*) from spot_klines where symbol = 'ETHUSDT' or symbol = 'BNBUSDT'`, 1],
    [`select count(*) from spot_klines where symbol in ('ETHUSDT', 'XRPUSDT') or symbol = 'BNBUSDT'`, 5],
    [`select count(*) from spot_klines where symbol = 'BTCUSDT' and interval = '1m'`, 2],
    [`select count(*) from spot_klines where interval = '1h' and open_time >= '2024-02-01'`, 1],
    [
      `select count(*) from spot_klines where open_time < timestamptz '2024-02-01 00:00:00+00' and symbol = 'BTCUSDT'`,
      2,
    ],
    [
      `select count(*) from spot_klines where open_time <= timestamptz '2024-02-01 00:00:00+00' and symbol = 'BTCUSDT'`,
      3,
    ],
    [`select count(*) from spot_klines where open_time between '2024-02-10' and '2024-02-11'`, 1],
    [`select count(*) from spot_klines where lower(symbol) = 'ethusdt'`, 5],
    [`select count(*) from spot_klines where symbol = 'ETHUSDT' or close > 0`, 5],
    [`select count(*) from (select * from spot_klines where interval = '1m') where symbol = 'ETHUSDT'`, 1],
    [
      `with a as (select * from spot_klines where symbol = 'BTCUSDT' and interval = '1m'),
        b as (select * from spot_klines where symbol = 'ETHUSDT')
        select count(*) from a join b using (open_time)`,
      3,
    ],
    [
      `select count(*) from spot_klines a join um_klines b using (symbol, interval, open_time) where a.symbol = 'BTCUSDT' and a.interval = '1h'`,
      3,
    ],
    [
      `select count(*) from spot_klines a left join spot_klines b on a.open_time = b.open_time and b.symbol = 'ETHUSDT' where a.interval = '1h'`,
      3,
    ],
    [
      `select sum(close) from spot_klines where symbol = 'BTCUSDT' and open_time = (select max(open_time) from spot_klines where interval = '1h')`,
      4,
    ],
    [`select close from spot_klines where symbol = 'BTCUSDT' and interval = '1h' order by open_time desc limit 3`, 2],
    [
      `select close, avg(close) over (order by open_time rows 20 preceding) from spot_klines where symbol = 'ETHUSDT' limit 5`,
      1,
    ],
    [`select count(*) from spot_klines tablesample 50 percent (reservoir, 7) where symbol = 'ETHUSDT'`, 5],
    [`select count(*) from spot_klines where false`, 0],
    [`from spot_klines select count(*) where symbol = 'ETHUSDT' group by all having count(*) > 1`, 1],
  ]
  for (const [sql, count] of planned) {
    it(`looks into ${count} objects for ${sql.replace(/\s+/g, ' ').slice(0, 110)}`, async () => {
      const result = query.sql(sql)
      const rows = await result.rows()
      expect((await result.cost).files).to.equal(count)
      if (/tablesample|over \(|limit/.test(sql)) return
      const views = sql
        .replaceAll('spot_klines', glob(''))
        .replaceAll('um_klines', `read_parquet('${root}/um-klines/**/data.parquet')`)
      if (/cm_klines/.test(sql)) return
      const plain = (await files.query(views)).map((row) => row.map((value) => Number(value)))
      expect(rows.map((row) => Object.values(row).map(Number))).to.deep.equal(plain)
    })
  }

  it('takes parameters, a Date among them', async () => {
    const rows = await query
      .sql('select count(*) as bars from spot_klines where symbol = ? and open_time < ?', [
        'ETHUSDT',
        new Date('2024-01-02T00:00:00Z'),
      ])
      .rows()
    expect(rows).to.deep.equal([{ bars: 1_440 }])
  })

  it('gives each kind of value its type, and a missing one as null', async () => {
    const rows = await query
      .sql(
        `select true as yes, 5 as small, 5::bigint as big, 9007199254740993 as huge, 1.5::double as d, 1.25 as exact,
        timestamptz '2024-01-01 00:00:00+00' as t, 'x' as text, [1, 2] as list, null as missing, sum(trades) as s from um_klines`,
      )
      .rows()
    const s = Number(
      (await files.query(`select sum(trades) from read_parquet('${root}/um-klines/**/data.parquet')`))[0]?.[0],
    )
    expect(rows).to.deep.equal([
      {
        yes: true,
        small: 5,
        big: 5,
        huge: 9007199254740993n,
        d: 1.5,
        exact: '1.25',
        t: at('2024-01-01'),
        text: 'x',
        list: [1, 2],
        missing: null,
        s,
      },
    ])
  })

  it('an abort ends it with the reason, and the process goes with it', async () => {
    const abort = new AbortController()
    const asking = query
      .sql('select count(*) from range(1000000000) a, range(1000000000) b where a.range + b.range = -1', [], {
        signal: abort.signal,
      })
      .rows()
    setTimeout(() => abort.abort(new Error('enough')), 300)
    expect(
      await asking.then(
        () => null,
        (thrown: unknown) => (thrown as Error).message,
      ),
    ).to.equal('enough')
  })

  it('a caller who leaves the loop is done with it', async () => {
    const result = query.sql('select i.range, j.range as other from range(100000) i, range(100000) j')
    for await (const batch of result) {
      expect(batch.length).to.be.greaterThan(0)
      break
    }
    expect((await result.cost).files).to.equal(0)
  })

  it('an answer is read once', async () => {
    const result = query.sql('select 1 as one')
    await result.rows()
    await failingWith('BAD_USAGE', result.rows())
  })

  it('whatever is asked of symbol, interval and time, pruning changes no answer', async () => {
    const symbol = fc.constantFrom(
      `symbol = 'BTCUSDT'`,
      `symbol = 'ETHUSDT'`,
      `symbol in ('ETHUSDT', 'XRPUSDT')`,
      `symbol > 'C'`,
      `symbol like 'B%'`,
      `symbol is not null`,
    )
    const interval = fc.constantFrom(
      `interval = '1m'`,
      `interval in ('1h', '1d')`,
      `interval <> '1m'`,
      `length(interval) = 2`,
    )
    const instant = fc
      .integer({ min: 0, max: 100 * 24 })
      .map((hours) => `timestamptz '${new Date(Date.UTC(2023, 11, 25) + hours * 3_600_000).toISOString()}'`)
    const time = fc.oneof(
      fc.tuple(fc.constantFrom('<', '<=', '>', '>=', '='), instant).map(([op, us]) => `open_time ${op} ${us}`),
      fc.tuple(instant, instant).map(([a, b]) => `open_time between ${a} and ${b}`),
    )
    const leaf = fc.oneof(symbol, interval, time, fc.constant('close > 20000'))
    const where = fc.letrec<{ node: string }>((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        leaf,
        fc
          .tuple(tie('node'), fc.constantFrom('and', 'and', 'or'), tie('node'))
          .map(([a, op, b]) => `(${a} ${op} ${b})`),
        tie('node').map((a) => `not (${a})`),
      ),
    })).node
    await fc.assert(
      fc.asyncProperty(where, async (condition) => {
        const select = (from: string): string =>
          `select count(*)::double as n, sum(close::decimal(18, 2))::double as s from ${from} where ${condition}`
        const [row] = await query.sql<{ n: number; s: number | null }>(select('spot_klines')).rows()
        const [want = []] = await files.query(select(glob('')))
        expect([row?.n, row?.s], condition).to.deep.equal(want)
      }),
      { numRuns: 25 },
    )
  })
})
