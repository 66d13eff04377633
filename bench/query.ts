import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { join } from 'node:path'
import { openCatalog } from '../src/adapters/postgres/connect.js'
import { acquireEmbeddedPostgres } from '../src/adapters/embedded-postgres/embedded-postgres.js'
import { ParquetLake } from '../src/compose-parquet-lake.js'
import { addMonths } from '../src/domain/month.js'
import type { Series } from '../src/domain/partition.js'
import { planQuery, scanOf } from '../src/domain/query-plan.js'
import { slice, type Slice } from '../src/domain/slice.js'
import { CandleQuery } from '../src/lake/candle-query.js'
import { warmRepository } from '../src/lake/warm-repository.js'
import { CandleFiles } from '../test/support/candle-files.js'
import type { Bench, BenchContext } from './bench.js'
import { interleaved, ratioOf, timed } from './interleave.js'
import { median } from './median.js'

const BTC: Series = { dataset: 'spot-klines', symbol: 'BTCUSDT', interval: '1m' }
const FIRST = '2020-01'
const ROUNDS = 5
const PLANNED = 10_000

type World = {
  readonly b: BenchContext
  readonly rounds: number
  readonly lake: ParquetLake
  readonly raw: DuckDBConnection
  readonly root: string
}

/** Reading a lake through the library, against plain DuckDB over the same files. */
export const query: Bench = async (b) => {
  const months = b.small ? 12 : 60
  const root = join(b.dir, 'lake')
  const files = await CandleFiles.in(root)
  const rounds = b.rounds ?? (b.small ? 2 : ROUNDS)
  for (let n = 0; n < months; n++) await files.write(`spot-klines/BTCUSDT/1m/${addMonths(FIRST, n)}`)
  files.close()
  b.say(
    `data: ${months} generated months of 1m of one symbol, double, zstd; both sides DuckDB with 2 threads, ` +
      'files in the page cache',
  )
  const lake = await ParquetLake.open(root, { threads: 2 })
  b.atEnd(() => lake.close())
  const raw = await (await DuckDBInstance.create(':memory:', { threads: '2' })).connect()
  await raw.run(`SET TimeZone = 'UTC'`)
  const world = { b, rounds, lake, raw, root }
  const parts: Readonly<Record<string, () => Promise<void>>> = {
    columns: () => columns(world),
    repository: () => repository(world, b.small ? [1, 12] : [1, 12, 60]),
    resample: () => resample(world, months),
    stats: () => stats(world),
    plan: () => plan(world),
  }
  for (const [name, run] of Object.entries(parts)) if (b.parts.length === 0 || b.parts.includes(name)) await run()
  raw.closeSync()
}

const range = (months: number): Slice => slice(BTC, FIRST, addMonths(FIRST, months - 1))

/** All columns, two, and one day, of a year, as columns. */
async function columns({ b, rounds, lake }: World): Promise<void> {
  const year = range(12)
  const day = { ...year, fromUs: year.fromUs + 86_400_000_000n * 40n, toUs: year.fromUs + 86_400_000_000n * 41n }
  const seconds = await interleaved(
    rounds,
    {
      all: () => timed(() => lake.read(year).columns()),
      two: () => timed(() => lake.read(year, ['openTimeUs', 'close']).columns()),
      day: () => timed(() => lake.read(day).columns()),
    },
    b.say,
  )
  b.figure('columns.all', median(seconds.all), 's')
  b.figure('columns.all-over-two', ratioOf(seconds.all, seconds.two), 'x', { atLeast: 3 })
  b.figure('columns.all-over-day', ratioOf(seconds.all, seconds.day), 'x')
}

/** Rows as objects, through the repository and by DuckDB's own way to rows. */
async function repository({ b, rounds, lake, raw, root }: World, counts: readonly number[]): Promise<void> {
  const warm = warmRepository(lake)
  for (const count of counts) {
    const at = range(count)
    const sql = `SELECT open_time, open, high, low, close, volume, close_time, quote_volume, trades, taker_buy_volume,
        taker_buy_quote_volume
      FROM read_parquet('${root}/spot-klines/btcusdt/1m/*/data.parquet')
      WHERE open_time >= make_timestamptz(${at.fromUs}) AND open_time < make_timestamptz(${at.toUs})`
    let [ours, theirs] = [0, 0]
    const seconds = await interleaved(
      rounds,
      {
        repository: () => timed(async () => (ours = (await warm.getByDateRange(at)).length)),
        raw: () => timed(async () => (theirs = (await raw.runAndReadAll(sql)).getRowObjects().length)),
      },
      b.say,
    )
    if (ours !== theirs) throw new Error(`${ours} rows and ${theirs} rows`)
    b.figure(`repository.${count}-months`, median(seconds.repository), 's')
    b.figure(`repository.${count}-months.over-raw`, ratioOf(seconds.repository, seconds.raw), 'x', { atMost: 1.2 })
  }
}

async function resample({ b, rounds, lake, raw, root }: World, months: number): Promise<void> {
  const asked = new CandleQuery(lake)
  const at = range(months)
  // By time_bucket over TIMESTAMPTZ the same took some twenty times as long.
  const sql = `SELECT epoch_us(open_time) // 86400000000 * 86400000000 AS bucket, arg_min(open, open_time), max(high),
      min(low), arg_max(close, open_time), fsum(volume), arg_max(close_time, open_time), fsum(quote_volume),
      sum(trades)::BIGINT, fsum(taker_buy_volume), fsum(taker_buy_quote_volume), count(*) = 1440
    FROM read_parquet('${root}/spot-klines/btcusdt/1m/*/data.parquet')
    WHERE open_time >= make_timestamptz(${at.fromUs}) AND open_time < make_timestamptz(${at.toUs})
    GROUP BY 1 ORDER BY 1`
  // What the exchange adds up is of eight decimals: the same totals as ours, whatever the order.
  const exact = sql.replaceAll(/fsum\((\w+)\)/g, 'sum($1::DECIMAL(18,8))::DOUBLE')
  let [ours, theirs] = [0, 0]
  const seconds = await interleaved(
    rounds,
    {
      resample: () => timed(async () => (ours = (await asked.resample(at, '1d').rows()).length)),
      byHand: () => timed(async () => (theirs = (await raw.runAndReadAll(sql)).getRowObjects().length)),
      exact: () => timed(async () => void (await raw.runAndReadAll(exact)).getRowObjects()),
    },
    b.say,
  )
  if (ours !== theirs) throw new Error(`${ours} days and ${theirs} days`)
  b.figure('resample', median(seconds.resample), 's')
  b.figure('resample.over-by-hand', ratioOf(seconds.resample, seconds.byHand), 'x', { atMost: 1.2 })
  b.figure('resample.over-exact-by-hand', ratioOf(seconds.resample, seconds.exact), 'x')
}

async function stats({ b, root }: World): Promise<void> {
  const fresh = await ParquetLake.open(root)
  const { bytes, bytesRead, rows } = await fresh.stats({ ...BTC, month: FIRST })
  b.say(`statistics of ${rows} rows in ${bytes} bytes`)
  b.figure('stats.bytes', (bytesRead / bytes) * 100, '%', { atMost: 5 })
}

/** Planning over a catalog of many partitions, by the catalog and by a glob over as many files. */
async function plan({ b, rounds, raw }: World): Promise<void> {
  const home = join(b.dir, 'home')
  const postgres = await acquireEmbeddedPostgres({ home })
  b.atEnd(() => postgres.release())
  const catalog = await openCatalog({ connection: postgres.connection, maxConnections: 2, applicationName: 'bench' })
  b.atEnd(() => catalog.close())
  await catalog.pool.query(`insert into partitions (dataset, symbol, "interval", month, kind, state, work,
      published_key, published_etag, published_bytes, published_sha256, published_rows, published_revision)
    select 'spot-klines', 'S' || symbol || 'USDT', '1m', month, 'backfill', 'verified', '{}',
      'spot-klines/s' || symbol || 'usdt/1m/' || month || '/data.parquet', 'e' || n, 1000 + n, repeat('0', 64), 1,
      repeat('0', 64)
    from (select n, lpad((n / 100)::text, 4, '0') as symbol,
      to_char(timestamp '2017-01-01' + (n % 100) * interval '1 month', 'YYYY-MM') as month
      from generate_series(0, ${PLANNED - 1}) n) as wanted`)
  await catalog.pool.query('analyze partitions')
  const scan = scanOf(slice({ ...BTC, symbol: 'S0042USDT' }, '2018-01', '2022-12'))
  const all = { ...scan, symbols: null, intervals: null, range: { fromUs: null, toUs: null } }
  const globbed = await emptyFiles(b)
  const objects = async (wanted: typeof scan | typeof all): Promise<number> =>
    planQuery(await catalog.index.objects(wanted), wanted).objects.length
  if ((await objects(scan)) !== 60 || (await objects(all)) !== PLANNED) throw new Error('the plan is another')
  const seconds = await interleaved(
    Math.max(rounds, 5),
    {
      series: () => timed(() => objects(scan)),
      everything: () => timed(() => objects(all)),
      glob: () =>
        timed(async () =>
          (await raw.runAndReadAll(`SELECT count(*) FROM glob('${globbed}/*/*/*/data.parquet')`)).getRows(),
        ),
    },
    b.say,
  )
  b.figure('plan.series', median(seconds.series) * 1_000, 'ms', { atMost: 20 })
  b.figure('plan.everything', median(seconds.everything) * 1_000, 'ms')
  b.figure('plan.glob', median(seconds.glob) * 1_000, 'ms')
}

/** As many files as the catalog has rows, in the same folders. */
async function emptyFiles(b: BenchContext): Promise<string> {
  const { mkdir, writeFile } = await import('node:fs/promises')
  const root = join(b.dir, 'globbed')
  for (let n = 0; n < PLANNED; n++) {
    const folder = join(root, `s${Math.floor(n / 100)}`, '1m', String(n % 100))
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'data.parquet'), '')
  }
  return root
}
