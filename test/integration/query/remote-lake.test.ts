import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openFileObjectStore } from '../../../src/adapters/file-store/file-object-store.js'
import { S3Link } from '../../../src/adapters/s3-store/s3-link.js'
import { openS3ObjectStore } from '../../../src/adapters/s3-store/s3-object-store.js'
import { lakePorts } from '../../../src/compose-lake.js'
import { ParquetLake } from '../../../src/compose-parquet-lake.js'
import type { ObjectStore } from '../../../src/domain/ports/object-store.js'
import { parsePartitionKey, type Series } from '../../../src/domain/partition.js'
import { slice } from '../../../src/domain/slice.js'
import { CandleQuery } from '../../../src/lake/candle-query.js'
import { Lake } from '../../../src/lake/lake.js'
import { CandleFiles } from '../../support/candle-files.js'
import { filesBelow } from '../../support/cli.js'
import { failingWith } from '../../support/failing-with.js'
import { acquireS3, newPrefix, s3Connection, type TestS3 } from '../../support/s3.js'
import { tempFolder } from '../../support/temp-folder.js'

const BTC: Series = { dataset: 'spot-klines', symbol: 'BTCUSDT', interval: '1m' }

/** The store, and what it gave so far. */
function counted(store: ObjectStore): {
  store: ObjectStore
  counts: { gets: number; bytes: number; heads: number }
} {
  const counts = { gets: 0, bytes: 0, heads: 0 }
  const counting: ObjectStore = {
    url: store.url,
    head: (key) => (counts.heads++, store.head(key)),
    get: async (o) => {
      counts.gets++
      expect(o.ifMatch, 'every range is of one version').to.be.a('string')
      const body = await store.get(o)
      return body.on('data', (piece: Buffer) => (counts.bytes += piece.length))
    },
    put: (o) => store.put(o),
    copy: (o) => store.copy(o),
    move: (o) => store.move(o),
    delete: (key) => store.delete(key),
    list: (prefix) => store.list(prefix),
    materialise: (o) => store.materialise(o),
    sweep: (ms) => store.sweep(ms),
  }
  return { store: counting, counts }
}

describe('a lake in a bucket', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let files: CandleFiles
  let there: ReturnType<typeof counted>
  let s3: TestS3
  let link: S3Link
  let bucket: ObjectStore
  let lake: Lake
  let query: CandleQuery

  before(async () => {
    folder = await tempFolder()
    files = await CandleFiles.in(join(folder.path, 'lake'))
    await files.write('spot-klines/BTCUSDT/1m/2024-01', { rowGroup: 4_096 })
    await files.write('spot-klines/BTCUSDT/1m/2024-02', { rowGroup: 4_096 })
    await files.write('spot-klines/ETHUSDT/1m/2024-01', { rowGroup: 4_096 })
    s3 = await acquireS3()
    link = new S3Link(s3Connection(s3))
    bucket = openS3ObjectStore({ url: newPrefix(s3), link })
    for (const key of filesBelow(files.root)) await put(key, join(files.root, key))
  })

  const put = async (key: string, path: string): Promise<void> => {
    const sha256Hex = createHash('sha256').update(await readFile(path)).digest('hex')
    await bucket.put({ key, path, sha256Hex })
  }

  beforeEach(async () => {
    there = counted(bucket)
    lake = new Lake(lakePorts(there.store, { cacheDir: await freshCache() }), { numericType: null })
    query = new CandleQuery(lake)
  })

  afterEach(async () => {
    await query.close()
    await lake.close()
  })

  after(async () => {
    files.close()
    await link.close()
    await folder.remove()
  })

  let caches = 0
  const freshCache = (): Promise<string> => Promise.resolve(join(folder.path, `cache-${++caches}`))
  const size = async (key: string): Promise<number> => (await readFile(join(files.root, key))).length
  const day = slice(BTC, '2024-01-10', '2024-01-11')

  it('reads parts only, as much as its cost says, and nothing the second time', async () => {
    const cold = lake.read(day, ['openTimeUs', 'close'])
    const rows = await cold.rows()
    expect(rows).to.have.length(1_440)
    const cost = await cold.cost
    expect([cost.requests, cost.bytesRead]).to.deep.equal([there.counts.gets, there.counts.bytes])
    expect(cost.bytesRead + cost.bytesSkipped).to.equal(await size('spot-klines/btcusdt/1m/2024-01/data.parquet'))
    expect(cost.bytesRead).to.be.lessThan(cost.bytesSkipped)
    const before = there.counts.gets
    const warm = lake.read(day, ['openTimeUs', 'close'])
    expect(await warm.rows()).to.deep.equal(rows)
    expect(await warm.cost).to.deep.include({ requests: 0, bytesRead: 0, cacheHits: 1 })
    expect(there.counts.gets).to.equal(before)
  })

  const asked = [
    `select count(*) as n, sum(close::decimal(18, 2)) as s from spot_klines where symbol = 'BTCUSDT' and open_time >= '2024-01-10' and open_time < '2024-01-11'`,
    `select symbol, max(high) as h from spot_klines group by all order by all`,
    `select close from spot_klines where symbol = 'ETHUSDT' order by open_time desc limit 3`,
    `select a.close - b.close as d from spot_klines a join spot_klines b using (open_time)
     where a.symbol = 'BTCUSDT' and b.symbol = 'ETHUSDT' and a.open_time < '2024-01-02' order by open_time limit 5`,
    `select count(*) as n from spot_klines where close > (select avg(close) from spot_klines where symbol = 'ETHUSDT')`,
    `select max(open_time) as t, min(volume) as v from spot_klines`,
    `select close, lag(close) over (partition by symbol order by open_time) as before from spot_klines qualify row_number() over (order by open_time, symbol) < 5 order by open_time, symbol`,
    `from (summarize spot_klines) select column_name, min, max`,
  ]
  for (const sql of asked) {
    it(`answers as over whole files: ${sql.replace(/\s+/g, ' ').slice(0, 100)}`, async () => {
      const result = query.sql(sql)
      const rows = await result.rows()
      const local = new CandleQuery(
        new Lake(lakePorts(await openFileObjectStore({ url: files.root }), {}), { numericType: null }),
      )
      expect(rows).to.deep.equal(await local.sql(sql).rows())
      expect((await result.cost).requests).to.equal(there.counts.gets)
    })
  }

  it('is opened by its address, as the settings of the environment say', async () => {
    const settings = { S3_ENDPOINT: s3.endpoint, S3_ACCESS_KEY_ID: s3.accessKeyId, S3_SECRET_ACCESS_KEY: s3.secretAccessKey }
    const before = Object.fromEntries(Object.keys(settings).map((name) => [name, process.env[name]]))
    Object.assign(process.env, settings, { S3_REGION: s3.region })
    try {
      const opened = await ParquetLake.open(bucket.url, { cacheDir: await freshCache() })
      const rows = await opened.read(day, ['close']).rows()
      await opened.close()
      expect(rows).to.deep.equal(await lake.read(day, ['close']).rows())
    } finally {
      for (const [name, value] of Object.entries(before)) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
    }
  })

  it('resamples from parts', async () => {
    const rows = await query.resample(day, '1h').rows()
    expect(rows).to.have.length(24)
    expect(rows.every(({ complete }) => complete)).to.equal(true)
  })

  it('an object that was replaced after it was planned is PRECONDITION_FAILED', async () => {
    const key = 'spot-klines/btcusdt/1m/2024-02/data.parquet'
    const store = {
      ...there.store,
      list: async function* (prefix: string) {
        const infos = []
        for await (const info of there.store.list(prefix)) infos.push(info)
        await put(key, join(files.root, 'spot-klines/ethusdt/1m/2024-01/data.parquet'))
        yield* infos
      },
    }
    const racing = new Lake(lakePorts(store, { cacheDir: await freshCache() }), { numericType: 'double' })
    await failingWith('PRECONDITION_FAILED', racing.read(parsePartitionKey('spot-klines/BTCUSDT/1m/2024-02')).rows())
    await racing.close()
  })
})
