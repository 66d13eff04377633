import { setTimeout as sleep } from 'node:timers/promises'
import type { Catalog } from '../src/adapters/postgres/connect.js'
import type { HotCandle } from '../src/domain/hot-candle.js'
import type { Series } from '../src/domain/partition.js'
import type { BenchContext } from './bench.js'

const SUBSCRIBERS = 20
const SECONDS = 20
const TICK_MS = 20

export type Given = {
  readonly catalog: Catalog
  readonly series: (n: number) => Series
  readonly candles: (count: number) => readonly HotCandle[]
}

type Way = { readonly name: string; readonly writesASecond: number; readonly rows: number }

/** Every write is a transaction of its own; the second way is what that costs where each brings one candle. */
const WAYS: readonly Way[] = [
  { name: 'notify', writesASecond: 100, rows: 10 }, { name: 'notify-one-by-one', writesASecond: 200, rows: 1 },
]

/** How long a candle takes from the call that stores it to the listener, of 20 subscribers of a series each. */
export async function notify(b: BenchContext, given: Given): Promise<void> {
  const seconds = b.small ? 2 : SECONDS
  for (const way of WAYS) {
    const latencies = (await run(given, way, seconds)).sort((x, y) => x - y)
    const at = (part: number): number => latencies[Math.floor((latencies.length - 1) * part)] ?? NaN
    b.say(`${way.name}: ${latencies.length} candles in ${seconds} s, ${way.rows} a write`)
    b.figure(`${way.name}-p50`, at(0.5), 'ms')
    b.figure(`${way.name}-p99`, at(0.99), 'ms', way.rows > 1 ? { atMost: 200 } : null)
  }
}

async function run({ catalog, series, candles }: Given, way: Way, seconds: number): Promise<number[]> {
  await catalog.pool.query('truncate hot_candles')
  const [writes, wanted] = [way.writesASecond * seconds, way.writesASecond * seconds * way.rows]
  const rows = candles(wanted / SUBSCRIBERS)
  const sent = new Map<string, number>()
  const latencies: number[] = []
  const keyOf = (n: number, openTimeUs: bigint): string => `${n} ${openTimeUs}`
  // A series and its days are made by the first who stores a row, which happens once a day.
  for (let n = 0; n < SUBSCRIBERS; n++) await catalog.hot.save(series(n), rows, 'open')
  const subscriptions = await Promise.all(Array.from({ length: SUBSCRIBERS }, async (_, n) =>
    await catalog.feed.subscribe(series(n), (event) => {
      const now = performance.now()
      if (event.type !== 'candles') return
      for (const { openTimeUs } of event.candles) latencies.push(now - (sent.get(keyOf(n, openTimeUs)) ?? NaN))
    })))
  const saving: Promise<number>[] = []
  const startedMs = performance.now()
  for (let done = 0; done < writes;) {
    const due = Math.min(writes, (performance.now() - startedMs) / 1_000 * way.writesASecond)
    for (; done < due; done++) {
      const [n, from] = [done % SUBSCRIBERS, Math.floor(done / SUBSCRIBERS) * way.rows]
      const batch = rows.slice(from, from + way.rows)
      for (const { openTimeUs } of batch) sent.set(keyOf(n, openTimeUs), performance.now())
      saving.push(catalog.hot.save(series(n), batch, 'closed'))
    }
    await sleep(TICK_MS)
  }
  await Promise.all(saving)
  for (const end = Date.now() + 10_000; latencies.length < wanted && Date.now() < end;) await sleep(TICK_MS)
  await Promise.all(subscriptions.map((one) => one.close()))
  if (latencies.length !== wanted) throw new Error(`heard ${latencies.length} candles, not ${wanted}`)
  return latencies
}
