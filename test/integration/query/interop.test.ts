import { expect } from 'chai'
import { join } from 'node:path'
import { ParquetLake } from '../../../src/compose-parquet-lake.js'
import { CANDLE_COLUMNS, type NumericType } from '../../../src/domain/candle.js'
import { objectKeyOf } from '../../../src/domain/names.js'
import { parsePartitionKey } from '../../../src/domain/partition.js'
import { CODECS } from '../../../src/domain/ports/engine.js'
import { FIELDS, type Candle } from '../../../src/lake/candle.js'
import { CandleFiles } from '../../support/candle-files.js'
import { foreignReaders, type PlainRow } from '../../support/foreign-readers.js'
import { tempFolder } from '../../support/temp-folder.js'

const ROWS = 300
const P = parsePartitionKey('spot-klines/BTCUSDT/1h/2025-01')
/** The last microsecond of each hour, as spot files of 2025 have it. */
const CLOSE_TIME = 'make_timestamptz(1735689600000000 + (i + 1) * 3600000000 - 1)'
/** No double holds these. */
const LARGE = '123456789012345678.12345678::DECIMAL(38,8) + i'
const FRACTIONS = '(0.1::DOUBLE + 0.2) * (i + 1)'

describe('files of ours, read by others', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>

  before(async () => {
    folder = await tempFolder()
  })

  after(() => folder.remove())

  for (const codec of CODECS) {
    for (const numericType of ['double', 'decimal'] as const) {
      for (const [name, { read, decimalsAsDoubles }] of Object.entries(foreignReaders())) {
        it(`${name} reads every ${numericType} value with ${codec} as we do`, async () => {
          const { path, rows } = await written(codec, numericType)
          const got = (await read(path)).map(comparable)
          expect(got).to.have.length(ROWS)
          expect(got).to.deep.equal(rows.map((row) => comparable(plainOf(row, decimalsAsDoubles === true))))
        })
      }
    }
  }

  it('what is compared has microseconds, fractions that are no short decimals, and decimals beyond a double', async () => {
    const [double] = (await written('zstd', 'double')).rows
    const [decimal] = (await written('zstd', 'decimal')).rows
    expect([double?.closeTimeUs, double?.quoteVolume]).to.deep.equal([1735693199999999n, 0.30000000000000004])
    expect(decimal?.quoteVolume).to.equal('123456789012345678.12345678')
  })

  /** Written by the library out of what it read. */
  async function written(
    codec: (typeof CODECS)[number],
    numericType: NumericType,
  ): Promise<{ path: string; rows: Candle<unknown>[] }> {
    const source = await CandleFiles.in(join(folder.path, `source-${numericType}`))
    const columns = { close_time: CLOSE_TIME, quote_volume: numericType === 'double' ? FRACTIONS : LARGE }
    await source.write('spot-klines/BTCUSDT/1h/2025-01', { numericType, rows: ROWS, columns })
    source.close()
    const from = await ParquetLake.open<unknown>(source.root)
    const to = await ParquetLake.open<unknown>(join(folder.path, `${codec}-${numericType}`), { codec, numericType })
    await to.write(P, from.read(P))
    const rows = await to.read(P).rows()
    await from.close()
    await to.close()
    return { path: join(folder.path, `${codec}-${numericType}`, objectKeyOf(P)), rows }
  }
})

/** Our own row in the words of the file. */
function plainOf(row: Candle<unknown>, decimalsAsDoubles: boolean): PlainRow {
  const values = FIELDS.map(([field, column]) => {
    const value = row[field]
    if (typeof value !== 'string') return [column, value]
    const digits = BigInt(value.replace('.', ''))
    return [column, decimalsAsDoubles ? Number(digits) / 1e8 : digits]
  })
  return { symbol: P.symbol, interval: P.interval, ...Object.fromEntries(values) } as PlainRow
}

/** One row as text: a double by the shortest that no other double has, whole numbers alike whether number or bigint. */
const comparable = (row: PlainRow): string =>
  CANDLE_COLUMNS.map(({ name, kind }) => {
    const value = row[name]
    const whole = kind === 'instant' || kind === 'count' || typeof value === 'bigint'
    return `${name} ${whole ? BigInt(value as bigint) : String(value)}`
  }).join(', ')
