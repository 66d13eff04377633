import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { inflateRawSync } from 'node:zlib'
import type { default as Polars, DataFrame } from 'nodejs-polars'

/*
 * One slot of the peer: a process that converts one ZIP at a time by nodejs-polars, as plainly as it can be done.
 * `bare` inflates, reads and writes. `checked` also hashes the source and refuses rows that are not finite, not positive,
 * contradict themselves, lack a value, or do not rise strictly in time, which finds disorder and duplicates. It does
 * less than ours even so: no CRC, no types of the lake, no symbol and interval, no hash of what it wrote.
 */
export type PolarsRequest = { readonly zip: string; readonly out: string; readonly work: 'bare' | 'checked'; readonly sha256Hex: string }
export type PolarsAnswer = { readonly rows: number } | { readonly error: string }

const from = process.argv[2] ?? import.meta.url
const pl = (createRequire(from)('nodejs-polars') as { default: typeof Polars }).default

process.on('SIGINT', () => undefined)
process.on('disconnect', () => process.exit())
process.on('message', (request: PolarsRequest) => process.send?.(answer(request)))

function answer(request: PolarsRequest): PolarsAnswer {
  try {
    const zip = readFileSync(request.zip)
    if (request.work === 'checked' && createHash('sha256').update(zip).digest('hex') !== request.sha256Hex) {
      throw new Error('not the file that was downloaded')
    }
    const frame = pl.readCSV(inflated(zip), { hasHeader: false })
    if (request.work === 'checked') check(frame)
    frame.writeParquet(request.out, { compression: 'zstd' })
    return { rows: frame.height }
  } catch (thrown) {
    return { error: thrown instanceof Error ? thrown.message : String(thrown) }
  }
}

/** The only member, by its local header: generated ZIPs have neither descriptor nor ZIP64. */
function inflated(zip: Buffer): Buffer {
  const start = 30 + zip.readUInt16LE(26) + zip.readUInt16LE(28)
  return inflateRawSync(zip.subarray(start, start + zip.readUInt32LE(18)), { chunkSize: zip.readUInt32LE(22) + 1 })
}

/** Columns of the CSV, by position. */
const [OPEN_TIME, OPEN, HIGH, LOW, CLOSE, VOLUME, CLOSE_TIME, QUOTE, TAKER, TAKER_QUOTE] = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10] as const
const PRICES = [OPEN, HIGH, LOW, CLOSE] as const
const AMOUNTS = [VOLUME, QUOTE, TAKER, TAKER_QUOTE] as const
/** What is never above what. */
const ORDERED = [
  [LOW, OPEN], [LOW, CLOSE], [OPEN, HIGH], [CLOSE, HIGH], [TAKER, VOLUME], [TAKER_QUOTE, QUOTE], [OPEN_TIME, CLOSE_TIME],
] as const

/** By aggregates of the frame and of its columns: the same as expressions in a `select` takes three times as long. */
function check(frame: DataFrame): void {
  const nulls = numbersOf(frame.nullCount())
  const sums = numbersOf(frame.sum())
  const minima = numbersOf(frame.min())
  const columns = frame.getColumns()
  const problems = [
    nulls.some((count) => count !== 0) && 'missing values',
    [...PRICES, ...AMOUNTS].some((at) => !Number.isFinite(sums[at])) && 'values that are not finite',
    PRICES.some((at) => !(minima[at]! > 0)) && 'prices that are not positive',
    AMOUNTS.some((at) => !(minima[at]! >= 0)) && 'negative amounts',
    ORDERED.some(([less, more]) => !(columns[more]!.sub(columns[less]!).min() >= 0)) && 'bars that contradict themselves',
    !(columns[OPEN_TIME]!.diff(1, 'drop').min() > 0) && 'rows out of order or twice',
  ].filter((problem) => problem !== false)
  if (problems.length > 0) throw new Error(`refused: ${problems.join(', ')}`)
}

function numbersOf(frame: DataFrame): readonly number[] {
  const [row = {}] = frame.toRecords() as Record<string, number>[]
  return Object.values(row)
}
