import { join } from 'node:path'
import type pg from 'pg'
import { acquireEmbeddedPostgres } from '../src/adapters/embedded-postgres/embedded-postgres.js'
import { openCatalog, type Catalog } from '../src/adapters/postgres/connect.js'
import { copyIn } from '../src/adapters/postgres/hot/copy-in.js'
import { VALUE_COLUMNS } from '../src/adapters/postgres/hot/rows.js'
import { inTransaction } from '../src/adapters/postgres/hot/session.js'
import { COPY_FROM_ROWS, linesOf, mergeArrays, mergeCopy } from '../src/adapters/postgres/hot/write.js'
import { HOT_NUMBERS } from '../src/domain/hot-candle.js'
import type { Held } from '../src/domain/ports/hot-store.js'
import { isoOfUs } from '../src/domain/month.js'
import { sliceOf } from '../src/domain/slice.js'
import type { Bench, BenchContext } from './bench.js'
import { notify } from './hot-notify.js'
import { interleaved, ratioOf, timed } from './interleave.js'
import { migration } from './hot-migration.js'
import { candles, empty, MINUTE_US, series, START_US } from './hot-rows.js'
import { median } from './median.js'

const DAY_US = 1_440n * MINUTE_US
const ROUNDS = 5
/** 20 million rows: 30 days of so many series of 1m. */
const [DAYS, SERIES] = [30, 463]

/** Hot rows in an embedded Postgres: how fast they are stored, read and let go. */
export const hot: Bench = async (b) => {
  const server = await acquireEmbeddedPostgres({ home: join(b.dir, 'home'), log: () => undefined })
  b.atEnd(() => server.release())
  const connection: pg.PoolConfig = { ...server.connection, ssl: false }
  const catalog = await openCatalog({ connection, maxConnections: 4, applicationName: 'bench' })
  b.atEnd(() => catalog.close())
  b.say('settings: an embedded Postgres as the product starts it; rows of 1m with eight decimals, made beforehand')
  const wants = (part: string): boolean => b.parts.length === 0 || b.parts.includes(part)
  if (wants('store')) await store(b, catalog)
  if (wants('batch')) await batches(b, catalog)
  if (wants('read') || wants('retention')) {
    const filled = await fill(b, catalog)
    if (wants('read')) await read(b, catalog, filled)
    if (wants('retention')) await retention(b, catalog, filled)
    await empty(catalog)
  }
  if (wants('notify')) await notify(b, { catalog, series, candles })
  if (wants('migrate')) await migration(b, catalog)
}

/** COPY alone and what storing adds: the merge, and that an equal row is replaced. */
async function store(b: BenchContext, catalog: Catalog): Promise<void> {
  const rows = candles(b.small ? 10_000 : 50_000)
  await catalog.hot.save(series(0), rows, 'closed')
  const columns = VALUE_COLUMNS.join(', ')
  const lines = function* (): Generator<string> {
    for (const line of linesOf(rows)) yield `1\t1\t${line}`
  }
  const run = (work: () => Promise<unknown>) => async (): Promise<number> => {
    await empty(catalog)
    return await timed(work)
  }
  const raw = run(() => inTransaction(source(catalog), async (client) =>
    await copyIn(client, `copy hot_candles (series_id, standing, ${columns}) from stdin`, lines())))
  const merged = run(() => catalog.hot.save(series(0), rows, 'closed'))
  const replaced = (): Promise<number> => timed(() => catalog.hot.save(series(0), rows, 'closed'))
  const seconds = await interleaved(b.rounds ?? (b.small ? 1 : ROUNDS), { raw, merged, replaced }, b.say)
  b.figure('copy', rows.length / median(seconds.raw), 'rows/s')
  b.figure('merge', rows.length / median(seconds.merged), 'rows/s')
  b.figure('replace', rows.length / median(seconds.replaced), 'rows/s')
  b.figure('merge-over-copy', ratioOf(seconds.raw, seconds.merged), 'x', { atLeast: 0.5 })
}

const source = ({ pool }: Catalog) => ({ pool, where: { at: 'bench', password: null } })

/** Arrays against COPY, by the rows of a batch: where one overtakes the other. */
async function batches(b: BenchContext, catalog: Catalog): Promise<void> {
  for (const count of [100, 250, COPY_FROM_ROWS, 1_000, 5_000, 20_000]) {
    const rows = candles(count)
    await catalog.hot.save(series(0), rows, 'closed')
    const run = (merge: typeof mergeArrays) => async (): Promise<number> => {
      await empty(catalog)
      const batch = { series: series(0), standing: 1, rows }
      return await timed(() => inTransaction(source(catalog), (client) => merge(client, batch)))
    }
    const sides = { arrays: run(mergeArrays), copy: run(mergeCopy) }
    const seconds = await interleaved(b.rounds ?? (b.small ? 1 : ROUNDS), sides, b.say)
    b.figure(`arrays-${count}`, count / median(seconds.arrays), 'rows/s')
    b.figure(`copy-merge-${count}`, count / median(seconds.copy), 'rows/s')
  }
}

type Filled = { readonly count: number; readonly days: number }

/** Days of many series, made by the server. */
async function fill(b: BenchContext, catalog: Catalog): Promise<Filled> {
  const [count, days] = b.small ? [20, 3] : [SERIES, DAYS]
  // Who stores the first row of a series makes it, and who stores the first of a day its partition.
  for (let n = 0; n < count; n++) await catalog.hot.save(series(n), candles(1), 'closed')
  const [first] = candles(1)
  if (!first) throw new Error('no row was made')
  for (let day = 0; day < days; day++) {
    const openTimeUs = dayStart(day)
    await catalog.hot.save(series(0), [{ ...first, openTimeUs, closeTimeUs: openTimeUs + MINUTE_US - 1_000n }], 'closed')
  }
  await empty(catalog)
  const numbers = HOT_NUMBERS.map(() => 'round((random() * 20000)::numeric, 8)').join(', ')
  const seconds = await timed(async () => {
    for (let day = 0; day < days; day++) {
      await catalog.pool.query(`insert into hot_candles (series_id, standing, ${VALUE_COLUMNS.join(', ')})
        select id, 1, t, t + interval '59.999 seconds', 7, ${numbers}
        from generate_series($1::timestamptz, $1::timestamptz + interval '23:59', interval '1 minute') t, hot_series
        where symbol like 'BENCH%'`, [isoOfUs(dayStart(day))])
    }
    await catalog.pool.query('analyze hot_candles')
  })
  const { rows: [told] } = await catalog.pool.query<{ rows: string; bytes: string }>(`
    select count(*) as rows, sum(pg_total_relation_size(tableoid)) filter (where first) as bytes
    from (select tableoid, row_number() over (partition by tableoid) = 1 as first from hot_candles) t`)
  if (Number(told?.rows) !== count * days * 1_440) throw new Error(`${told?.rows} rows were made`)
  b.say(`data: ${told?.rows} rows, ${days} days of ${count} series, made in ${seconds.toFixed(0)} s`)
  b.figure('bytes-a-row', Number(told?.bytes) / Number(told?.rows), 'B')
  return { count, days }
}

const dayStart = (day: number): bigint => START_US + BigInt(day) * DAY_US

async function read(b: BenchContext, catalog: Catalog, { count, days }: Filled): Promise<void> {
  const asked = async (
    name: string, times: number, ask: (n: number) => Promise<unknown[]>, rows: number,
  ): Promise<void> => {
    const ms: number[] = []
    for (let n = 0; n < times; n++) {
      let found = 0
      ms.push(1_000 * (await timed(async () => (found = (await ask(n)).length))))
      if (found !== rows) throw new Error(`${name} found ${found} rows and not ${rows}`)
    }
    ms.sort((x, y) => x - y)
    for (const p of [50, 99]) b.figure(`${name}.p${p}`, ms[Math.floor(ms.length * p / 100)] ?? 0, 'ms')
  }
  const times = b.small ? 50 : 1_000
  await asked('point', times, (n) => {
    const at = START_US + BigInt((n * 7_919) % (days * 1_440)) * MINUTE_US
    return catalog.hot.read(sliceOf(series((n * 31) % count), at, at + MINUTE_US))
  }, 1)
  await asked('latest', times, (n) => catalog.hot.latest(series((n * 31) % count), 1), 1)
  const day = (n: number) => sliceOf(series((n * 31) % count), dayStart(n % days), dayStart(n % days + 1))
  await asked('day', Math.ceil(times / 5), (n) => catalog.hot.read(day(n)), 1_440)
}

/** Day after day leaves, the oldest first: rows counted and digested anew, the catalog asked, the partition dropped. */
async function retention(b: BenchContext, catalog: Catalog, { count, days }: Filled): Promise<void> {
  await catalog.pool.query(`
    insert into partitions (dataset, symbol, "interval", month, kind, work, state, published_key, published_etag,
      published_sha256, published_revision)
    select 'spot-klines', 'BENCH' || n || 'USDT', '1m', '2024-01', 'backfill', '{}', 'verified', 'k', 'e', 's', 'r'
    from generate_series(0, ${count - 1}) n`)
  const seconds: number[] = []
  for (let day = 0; day < Math.min(days, b.rounds ?? (b.small ? 1 : ROUNDS)); day++) {
    const held: Held[] = []
    for (let n = 0; n < count; n++) {
      const at = sliceOf(series(n), dayStart(day), dayStart(day + 1))
      const [contents] = await catalog.hot.view((view) => view.contents(at))
      if (contents) held.push({ ...contents, series: series(n), etag: 'e' })
    }
    let removed = 0
    seconds.push(await timed(async () => (removed = (await catalog.hot.remove(held)).length)))
    if (removed !== count) throw new Error(`${removed} of ${count} series left`)
    b.say(`round ${day + 1}: ${count * 1_440} rows left in ${(seconds.at(-1) ?? 0).toFixed(3)} s`)
  }
  b.figure('retention-drop', median(seconds), 's', { atMost: 1 })
}
