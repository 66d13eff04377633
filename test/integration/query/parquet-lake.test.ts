import { expect } from 'chai'
import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ParquetLake } from '../../../src/compose-parquet-lake.js'
import type { NumericType } from '../../../src/domain/candle.js'
import { parsePartitionKey } from '../../../src/domain/partition.js'
import { CODECS } from '../../../src/domain/ports/engine.js'
import { CandleQuery } from '../../../src/lake/candle-query.js'
import { CandleFiles } from '../../support/candle-files.js'
import { filesBelow } from '../../support/cli.js'
import { failingWith } from '../../support/failing-with.js'
import { tempFolder } from '../../support/temp-folder.js'

const P = parsePartitionKey('spot-klines/BTCUSDT/1h/2024-01')

describe('ParquetLake', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let files: CandleFiles
  let lakes = 0
  const opened: ParquetLake<unknown>[] = []

  before(async () => {
    folder = await tempFolder()
  })

  beforeEach(async () => {
    files = await CandleFiles.in(join(folder.path, `lake-${++lakes}`))
  })

  afterEach(async () => {
    files.close()
    for (const lake of opened.splice(0)) await lake.close()
  })

  after(() => folder.remove())

  const open = async <N = number>(
    o: { numericType?: NumericType; codec?: (typeof CODECS)[number] } = {},
  ): Promise<ParquetLake<N>> => {
    const lake = await ParquetLake.open<N>(files.root, o)
    opened.push(lake)
    return lake
  }

  for (const codec of CODECS) {
    for (const numericType of ['double', 'decimal'] as const) {
      it(`writes ${numericType} partitions with ${codec} and reads them back to the last digit`, async () => {
        await files.write('spot-klines/BTCUSDT/1h/2024-01', { numericType, rows: 100 })
        const lake = await open<unknown>({ codec })
        expect(await lake.numericType()).to.equal(numericType)
        const rows = await lake.read(P).rows()
        expect(typeof rows[0]?.close).to.equal(numericType === 'double' ? 'number' : 'string')
        const copy = parsePartitionKey('spot-klines/COPYUSDT/1h/2024-01')
        const stats = await lake.write(copy, lake.read(P))
        expect(stats).to.deep.include({ rows: 100, codec })
        expect(await lake.read(copy).rows()).to.deep.equal(rows)
        expect(stats.columns['close']).to.deep.include({
          type: numericType === 'double' ? 'DOUBLE' : 'DECIMAL(18,8)',
          nulls: 0,
        })
        const [least] =
          (
            await files.query(
              `SELECT min(volume) FROM read_parquet('${files.root}/spot-klines/copyusdt/1h/*/data.parquet')`,
            )
          )[0] ?? []
        expect(String(stats.columns['volume']?.min)).to.equal(String(least))
      })
    }
  }

  it('writes whole partitions or nothing', async () => {
    const lake = await open()
    const source = await CandleFiles.in(join(folder.path, 'source'))
    await source.write('spot-klines/BTCUSDT/1h/2024-01', { rows: 10 })
    const rows = await (await ParquetLake.open(source.root)).read(P).rows()
    source.close()
    const failing = async function* () {
      yield await Promise.resolve(rows.slice(0, 5))
      throw new Error('the source broke')
    }
    expect(
      await lake.write(P, failing()).then(
        () => null,
        (thrown: unknown) => (thrown as Error).message,
      ),
    ).to.include('the source broke')
    const outside = async function* () {
      yield await Promise.resolve([{ ...rows[0]!, openTimeUs: 0n }])
    }
    await failingWith('CORRUPT', lake.write(P, outside()))
    const twice = async function* () {
      yield await Promise.resolve([rows[0]!, rows[0]!])
    }
    await failingWith('CORRUPT', lake.write(P, twice()))
    expect(filesBelow(files.root)).to.deep.equal([])
    const abort = new AbortController()
    abort.abort(new Error('enough'))
    const all = async function* () {
      yield await Promise.resolve(rows)
    }
    expect(
      await lake.write(P, all(), { signal: abort.signal }).then(
        () => null,
        (thrown: unknown) => (thrown as Error).message,
      ),
    ).to.equal('enough')
    expect(filesBelow(files.root)).to.deep.equal([])
    await lake.write(P, all())
    await failingWith('PRECONDITION_FAILED', lake.write(P, all(), { condition: { ifNoneMatch: '*' } }))
    expect(await lake.delete(P)).to.equal(true)
    expect(await lake.delete(P)).to.equal(false)
  })

  const drifts: readonly (readonly [what: string, columns: Record<string, string | null>, facts: object])[] = [
    ['a column of text', { close: `'x'` }, { column: 'close', want: 'DOUBLE', found: 'VARCHAR' }],
    [
      'a column of integers, which would be cast in silence',
      { volume: '5::INTEGER' },
      { column: 'volume', want: 'DOUBLE', found: 'INTEGER' },
    ],
    ['a narrower decimal', { high: '5::DECIMAL(18,2)' }, { column: 'high', want: 'DOUBLE', found: 'DECIMAL(18,2)' }],
    ['no such column', { trades: null }, { column: 'trades', want: 'BIGINT', found: 'missing' }],
  ]
  for (const [what, columns, facts] of drifts) {
    it(`a partition with ${what} is SCHEMA_MISMATCH with the column, the wanted and the found type`, async () => {
      await files.write('spot-klines/BTCUSDT/1h/2024-01', { rows: 10, columns })
      await files.write('spot-klines/ABCUSDT/1h/2024-01', { rows: 10 })
      const lake = await open()
      for (const work of [
        () => lake.stats(P),
        () => lake.read(P).rows(),
        () => new CandleQuery(lake).sql('select max(close) from spot_klines').rows(),
      ]) {
        const error = await failingWith('SCHEMA_MISMATCH', work)
        expect(error.facts).to.include({ ...facts, at: 'spot-klines/btcusdt/1h/2024-01/data.parquet' })
      }
    })
  }

  it('a damaged partition is OBJECT_CORRUPT, whatever is damaged', async () => {
    const path = await files.write('spot-klines/BTCUSDT/1h/2024-01')
    const good = await readFile(path)
    const lake = (): Promise<ParquetLake> => open()
    for (const damage of [
      () => truncate(path, good.length / 2),
      () => writeFile(path, 'no Parquet'),
      () => writeFile(path, Buffer.from(good).fill(0, 4, good.length / 2)),
      () => writeFile(path, Buffer.from(good).fill(0xaa, good.length - 1_500, good.length - 8)),
    ]) {
      await damage()
      const opened = await lake()
      await failingWith('OBJECT_CORRUPT', opened.read(P).rows())
      await failingWith(
        'OBJECT_CORRUPT',
        new CandleQuery(opened).sql('select sum(close), sum(volume), max(trades) from spot_klines').rows(),
      )
      await writeFile(path, good)
      expect(await (await lake()).read(P).rows()).to.have.length(744)
    }
  })
})
