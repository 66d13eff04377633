import { tableFromIPC } from 'apache-arrow'
import { expect } from 'chai'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readParquet } from 'parquet-wasm'
import { ParquetLake } from '../../../src/compose-parquet-lake.js'
import type { NumericType } from '../../../src/domain/candle.js'
import { objectKeyOf } from '../../../src/domain/names.js'
import { parsePartitionKey } from '../../../src/domain/partition.js'
import { CODECS } from '../../../src/domain/ports/engine.js'
import type { Candle } from '../../../src/lake/candle.js'
import { CandleFiles } from '../../support/candle-files.js'
import { tempFolder } from '../../support/temp-folder.js'

const ROWS = 300
const P = parsePartitionKey('spot-klines/BTCUSDT/1h/2024-01')

/** Time, prices, amounts and counts of a row, as text that every reader can come to. */
type Plain = readonly string[]
const number = (value: unknown): string => Number(value).toFixed(8)

/** Readers that are none of DuckDB's: hyparquet is written in JavaScript, parquet-wasm is the Rust implementation. */
const READERS: Readonly<Record<string, (path: string) => Promise<Plain[]>>> = {
  hyparquet: async (path) => {
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(path), compressors })
    return rows.map((row) => [
      (row['open_time'] as Date).toISOString(),
      number(row['close']),
      number(row['volume']),
      String(row['trades']),
      String(row['symbol']),
    ])
  },
  'parquet-wasm': async (path) => {
    const table = tableFromIPC(readParquet(new Uint8Array(await readFile(path))).intoIPCStream())
    const scaled = (name: string, value: number | bigint): string => {
      const type = table.schema.fields.find((field) => field.name === name)?.type as { scale?: number } | undefined
      return type?.scale === undefined ? number(value) : number(Number(String(value)) / 10 ** type.scale)
    }
    return Array.from({ length: table.numRows }, (_, n) => {
      const row = table.get(n)?.toJSON() as Record<string, number | bigint>
      return [
        new Date(Number(row['open_time'])).toISOString(),
        scaled('close', row['close']!),
        scaled('volume', row['volume']!),
        String(row['trades']),
        String(row['symbol']),
      ]
    })
  },
}

describe('files of ours, read by others', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>

  before(async () => {
    folder = await tempFolder()
  })

  after(() => folder.remove())

  for (const codec of CODECS) {
    for (const numericType of ['double', 'decimal'] as const) {
      for (const [name, read] of Object.entries(READERS)) {
        it(`${name} reads ${numericType} values with ${codec} as we do`, async () => {
          const { path, rows } = await written(codec, numericType)
          const got = await read(path)
          expect(got).to.have.length(ROWS)
          expect(got).to.deep.equal(
            rows.map((row) => [
              new Date(Number(row.openTimeUs / 1_000n)).toISOString(),
              number(row.close),
              number(row.volume),
              String(row.trades),
              'BTCUSDT',
            ]),
          )
        })
      }
    }
  }

  async function written(
    codec: (typeof CODECS)[number],
    numericType: NumericType,
  ): Promise<{ path: string; rows: Candle<unknown>[] }> {
    const source = await CandleFiles.in(join(folder.path, `source-${numericType}`))
    await source.write('spot-klines/BTCUSDT/1h/2024-01', { numericType, rows: ROWS })
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
