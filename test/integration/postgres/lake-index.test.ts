import { expect } from 'chai'
import { openCatalog, type Catalog } from '../../../src/adapters/postgres/connect.js'
import { planQuery, scanOf, type Scan } from '../../../src/domain/query-plan.js'
import { slice } from '../../../src/domain/slice.js'
import { freshDatabase, type TestDatabase } from '../../support/postgres.js'

describe('what the catalog says a lake shows', () => {
  let database: TestDatabase
  let catalog: Catalog

  before(async () => {
    database = await freshDatabase()
    catalog = await openCatalog({ connection: database.connection, maxConnections: 2, applicationName: 'test' })
    for (const [symbol, month, state, key] of [
      ['BTCUSDT', '2024-01', 'verified', 'a'],
      ['BTCUSDT', '2024-02', 'provisional', 'b'],
      ['BTCUSDT', '2024-03', 'failed', 'c'],
      ['BTCUSDT', '2024-04', 'planned', null],
      ['ETHUSDT', '2024-01', 'verified', 'd'],
    ] as const) {
      await catalog.pool.query(
        `insert into partitions (dataset, symbol, "interval", month, kind, state, work, published_key,
        published_etag, published_bytes, published_sha256, published_rows, published_revision)
        values ('spot-klines', $1, '1h', $2, 'backfill', $3, '{}', $4, $5, $6, $7, 1, $7)`,
        [symbol, month, state, key, key && 'e', key === null ? 0 : 7, key && '0'.repeat(64)],
      )
    }
  })

  after(async () => {
    await catalog.close()
    await database.drop()
  })

  const keys = async (scan: Scan): Promise<string[]> =>
    planQuery(await catalog.index.objects(scan), scan).objects.map(({ key, bytes }) => `${key} ${bytes}`)
  const series = { dataset: 'spot-klines', symbol: 'BTCUSDT', interval: '1h' } as const

  it('are published objects of the series and months that a scan wants', async () => {
    expect(await keys(scanOf(slice(series, '2024-01', '2024-12')))).to.deep.equal(['a 7', 'b 7', 'c 7'])
    expect(await keys(scanOf(slice(series, '2024-02', '2024-02')))).to.deep.equal(['b 7'])
    expect(await keys(scanOf(slice({ ...series, interval: '1m' }, '2024-01', '2024-12')))).to.deep.equal([])
  })

  it('are all of a dataset where nothing narrows the scan', async () => {
    const all: Scan = {
      dataset: 'spot-klines',
      symbols: null,
      intervals: null,
      range: { fromUs: null, toUs: null },
      columns: null,
    }
    expect(await keys(all)).to.deep.equal(['a 7', 'b 7', 'c 7', 'd 7'])
    expect(await keys({ ...all, dataset: 'um-klines' })).to.deep.equal([])
    expect(await keys({ ...all, symbols: [] })).to.deep.equal([])
  })
})
