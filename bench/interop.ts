import { execFile } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { ParquetLake } from '../src/compose-parquet-lake.js'
import { parsePartitionKey } from '../src/domain/partition.js'
import { CandleQuery } from '../src/lake/candle-query.js'
import type { Bench, BenchContext } from './bench.js'
import { archiveOfTwoMarkets, lakeByPipeline, ourReading, type ForeignDataset } from './interop-lake.js'

const ROOT = resolve(import.meta.dirname, '../..')
const PACKAGES = 'pyarrow, polars, pandas, duckdb'

type Compared = {
  readonly versions: Readonly<Record<string, string>>
  readonly results: readonly {
    readonly reader: string
    readonly lake: string
    readonly way: 'glob' | 'file'
    readonly rows: number
    readonly cells: number
    readonly differences: number
  }[]
}

/** Lakes of the whole pipeline, read by others: every value against our own reading, and the examples of the docs. */
export const interop: Bench = async (b) => {
  const { version } = await python(b, ['-c', `import ${PACKAGES}, sys, json; print(json.dumps({'version': sys.version}))`])
    .catch((thrown: unknown) => {
      throw new Error(`${b.python} with ${PACKAGES} is needed: make a venv, pip install ${PACKAGES.replaceAll(',', '')} ` +
        `there, and give its Python as --python PATH`, { cause: thrown })
    }) as { version: string }
  const archive = await archiveOfTwoMarkets(b)
  const double = await lakeByPipeline(b, archive, 'double')
  const decimal = await lakeByPipeline(b, archive, 'decimal')
  const manifest = [...(await ourReading(b, double, 'double')), ...(await ourReading(b, decimal, 'decimal'))]
  b.say(`data: ${manifest.map((one) => `${one.lake} ${one.files.length} partitions ${one.rows} rows`).join(', ')}`)
  b.say(`python ${version.split(' ')[0] ?? ''}`)
  await compare(b, manifest)
  await examples(b, double)
}

async function compare(b: BenchContext, manifest: readonly ForeignDataset[]): Promise<void> {
  const path = join(b.dir, 'manifest.json')
  await writeFile(path, JSON.stringify(manifest))
  const { versions, results } = (await python(b, [join(ROOT, 'bench/interop/read_lake.py'), path])) as Compared
  for (const [reader, version] of Object.entries(versions)) {
    b.say(`${reader} ${version}`)
    for (const way of ['glob', 'file'] as const) {
      const of = results.filter((one) => one.reader === reader && one.way === way)
      const sum = (name: 'rows' | 'cells' | 'differences'): number => of.reduce((total, one) => total + one[name], 0)
      b.figure(`${reader}.${way}.rows`, sum('rows'), 'rows', { atLeast: manifest.reduce((n, { rows }) => n + rows, 0) })
      b.figure(`${reader}.${way}.values`, sum('cells'), 'values')
      b.figure(`${reader}.${way}.differences`, sum('differences'), 'values', { atMost: 0 })
    }
  }
}

type Example = { readonly text: string; readonly rows: readonly Readonly<Record<string, unknown>>[] }

/** The examples of docs/query.md as they stand there, in a folder whose `lake` is the lake. */
async function examples(b: BenchContext, root: string): Promise<void> {
  const folder = join(b.dir, 'reader')
  await mkdir(folder)
  await symlink(root, join(folder, 'lake'))
  const found = (await python(b, [join(ROOT, 'bench/interop/run_examples.py'), join(ROOT, 'docs/query.md')], folder)) as Example[]
  const lake = await ParquetLake.open(root)
  const query = new CandleQuery(lake)
  const highs = await query.sql<{ symbol: string; high: number }>(
    'select symbol, max(high) as high from spot_klines group by 1 order by 1').rows()
  const bars = await lake.read(parsePartitionKey('spot-klines/BTCUSDT/1h/2024-12'), ['close']).rows()
  const month = bars.map(({ close }) => close)
  await query.close()
  await lake.close()
  const wrong = found.filter(({ text, rows }) => {
    const same = rows.some((row) => 'close' in row)
      ? JSON.stringify(rows.map((row) => row['close'])) === JSON.stringify(month)
      : JSON.stringify(rows.map(Object.values).sort()) === JSON.stringify(highs.map(Object.values))
    if (!same) b.say(`another answer: ${text}`)
    return !same
  })
  b.figure('examples', found.length, 'examples', { atLeast: 4 })
  b.figure('examples.differences', wrong.length, 'examples', { atMost: 0 })
}

/** What a program in Python printed: one JSON value. */
async function python(b: BenchContext, args: readonly string[], cwd: string = b.dir): Promise<unknown> {
  const { stdout } = await promisify(execFile)(b.python, args, { cwd, maxBuffer: 2 ** 28 })
  return JSON.parse(stdout) as unknown
}
