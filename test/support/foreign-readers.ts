import { tableFromIPC, type Vector } from 'apache-arrow'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { default as Polars } from 'nodejs-polars'
import { readParquet } from 'parquet-wasm'
import { CANDLE_COLUMNS, type CandleColumnName } from '../../src/domain/candle.js'

/** A row by its columns: instants as microseconds, doubles as they are, decimals as their whole number of 10^-8. */
export type PlainRow = Readonly<Record<CandleColumnName, unknown>>

export type ForeignReader = {
  readonly read: (path: string) => Promise<PlainRow[]>
  /** Gives a decimal as the double of its digits over 10^8: all that it knows of decimals. */
  readonly decimalsAsDoubles?: true
}

type Parsers = NonNullable<Parameters<typeof parquetReadObjects>[0]['parsers']>

/** Readers that are none of DuckDB's: JavaScript, the Rust implementation, and Polars where npm brings its native part. */
export function foreignReaders(): Readonly<Record<string, ForeignReader>> {
  const polars = loadedPolars()
  return {
    hyparquet: { read: byHyparquet, decimalsAsDoubles: true },
    'parquet-wasm': { read: byParquetWasm },
    ...(polars === null ? {} : { 'nodejs-polars': { read: (path: string) => byPolars(polars, path) } }),
  }
}

async function byHyparquet(path: string): Promise<PlainRow[]> {
  // Its own parser cuts instants to milliseconds.
  const parsers = { timestampFromMicroseconds: (micros: bigint) => micros } as unknown as Parsers
  const file = await asyncBufferFromFile(path)
  return (await parquetReadObjects({ file, compressors, parsers })) as unknown as PlainRow[]
}

async function byParquetWasm(path: string): Promise<PlainRow[]> {
  const table = tableFromIPC(readParquet(new Uint8Array(await readFile(path))).intoIPCStream())
  const columns = CANDLE_COLUMNS.map(({ name }) => [name, valuesOf(table.getChild(name))] as const)
  return Array.from({ length: table.numRows }, (_, n) => rowOf((name) => columns.find(([of]) => of === name)?.[1][n]))
}

/** As Arrow holds them: asked for by `get`, an instant is a double of milliseconds. */
function valuesOf(vector: Vector | null): readonly unknown[] {
  if (vector === null) return []
  const type = String(vector.type)
  if (!/^(Timestamp|Decimal)/.test(type)) return Array.from({ length: vector.length }, (_, n) => vector.get(n) as unknown)
  return vector.data.flatMap(({ values }) =>
    values instanceof Uint32Array ? wholeNumbers(values) : [...(values as BigInt64Array)],
  )
}

/** Four words a number, the least first, in two's complement. */
const wholeNumbers = (words: Uint32Array): bigint[] =>
  Array.from({ length: words.length / 4 }, (_, n) =>
    BigInt.asIntN(
      128,
      words.subarray(4 * n, 4 * n + 4).reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n),
    ),
  )

const byPolars = (pl: typeof Polars, path: string): Promise<PlainRow[]> => {
  const frame = pl.readParquet(path)
  const exact = CANDLE_COLUMNS.map(({ name, kind }) => {
    const column = pl.col(name)
    if (kind === 'instant') return column.cast(pl.Int64)
    // Its rows cannot hold decimals.
    const isDouble = String(frame.getColumn(name).dtype) === String(pl.Float64)
    return (kind === 'price' || kind === 'amount') && !isDouble ? column.cast(pl.Utf8) : column
  })
  const rows = frame.select(...exact).toRecords()
  return Promise.resolve(
    rows.map((row) => rowOf((name) => (typeof row[name] === 'string' ? ofDecimal(row[name]) : row[name]))),
  )
}

const ofDecimal = (text: string): unknown => (/^\d+\.\d{8}$/.test(text) ? BigInt(text.replace('.', '')) : text)

const rowOf = (value: (name: CandleColumnName) => unknown): PlainRow =>
  Object.fromEntries(CANDLE_COLUMNS.map(({ name }) => [name, value(name)])) as unknown as PlainRow

/** npm leaves the native part out on some versions of Node. */
function loadedPolars(): typeof Polars | null {
  try {
    return (createRequire(import.meta.url)('nodejs-polars') as { default: typeof Polars }).default
  } catch {
    return null
  }
}
