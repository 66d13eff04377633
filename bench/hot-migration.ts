import { join } from 'node:path'
import type { Catalog } from '../src/adapters/postgres/connect.js'
import { ParquetLake } from '../src/compose-parquet-lake.js'
import type { HotCandle } from '../src/domain/hot-candle.js'
import { objectKeyOf } from '../src/domain/names.js'
import type { Partition } from '../src/domain/partition.js'
import { batchOf } from '../src/lake/candle-values.js'
import { candleReader } from '../src/lake/hot-repository.js'
import { migrateMonth } from '../src/lake/migrate-hot.js'
import type { BenchContext } from './bench.js'
import { candles, empty, series } from './hot-rows.js'
import { timed } from './interleave.js'
import { median } from './median.js'

const MINUTES = 31 * 1_440
const MONTHS = 6
const ROUNDS = 3
const JANUARY_OVER_US = BigInt(Date.parse('2024-02-01')) * 1_000n

/**
 * Whole months of 1m leave hot: every row compared with its verified month value by value, both sides hashed column by
 * column, the report stored, rows counted and digested anew in the transaction that removes them. One month at a time,
 * as one job does it, and two at a time, as a worker does.
 */
export async function migration(b: BenchContext, catalog: Catalog): Promise<void> {
  const [minutes, months] = b.small ? [1_440, 2] : [MINUTES, MONTHS]
  const rows = candles(minutes)
  const lake = await ParquetLake.open<unknown>(join(b.dir, 'lake'), { threads: 1, numericType: 'double' })
  b.atEnd(() => lake.close())
  const partitions = Array.from({ length: months }, (_, n): Partition => ({ ...series(n), month: '2024-01' }))
  for (const p of partitions) await publish(catalog, lake, p, rows)
  b.say(`data: ${months} months of ${minutes} rows, double`)
  const ports = {
    hot: catalog.hot, lake, numericType: 'double', pass: () => undefined, signal: new AbortController().signal,
    record: (report: Parameters<Catalog['migration']['record']>[0]) => catalog.migration.record(report),
  } as const
  const migrate = async (p: Partition): Promise<void> => {
    const done = await migrateMonth(ports, p, JANUARY_OVER_US)
    if (done?.removed !== minutes || done.report?.differing !== 0) throw new Error(`${done?.removed ?? 0} rows left`)
  }
  for (const lanes of [1, 2]) {
    const seconds: number[] = []
    for (let round = 0; round < (b.rounds ?? (b.small ? 1 : ROUNDS)); round++) {
      await empty(catalog)
      for (const p of partitions) await catalog.hot.save(p, rows, 'closed')
      await catalog.pool.query('analyze hot_candles')
      const left = [...partitions]
      const lane = async (): Promise<void> => {
        for (let p = left.shift(); p !== undefined; p = left.shift()) await migrate(p)
      }
      seconds.push(await timed(() => Promise.all(Array.from({ length: lanes }, lane))))
      b.say(`round ${round + 1}, ${lanes} at a time: ${months * minutes} rows in ${(seconds.at(-1) ?? 0).toFixed(2)} s`)
    }
    const name = lanes === 1 ? 'migrate' : `migrate-${lanes}-at-a-time`
    b.figure(name, months * minutes / median(seconds), 'rows/s', { atLeast: 50_000 })
  }
}

async function publish(
  catalog: Catalog, lake: ParquetLake<unknown>, p: Partition, rows: readonly HotCandle[],
): Promise<void> {
  await lake.write(p, batchOf(rows.map(candleReader<unknown>('double'))))
  const { etag = '', bytes = 0 } = (await lake.object(p)) ?? {}
  await catalog.pool.query(`
    with shown as (
      insert into partitions (dataset, symbol, "interval", month, kind, work, state, published_key, published_etag,
        published_sha256, published_revision, published_bytes)
      values ($1, $2, $3, $4, 'backfill', '{}', 'verified', $5, $6, 's', 'r', $7)
      on conflict (dataset, symbol, "interval", month) do update set published_key = excluded.published_key,
        published_etag = excluded.published_etag, published_bytes = excluded.published_bytes
      returning id)
    insert into certificates (partition_id, certificate) select id, '{"verdict": "verified"}' from shown
    on conflict do nothing`, [p.dataset, p.symbol, p.interval, p.month, objectKeyOf(p), etag, bytes])
}
