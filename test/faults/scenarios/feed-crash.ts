import { setTimeout as sleep } from 'node:timers/promises'
import { openCatalog, type Catalog } from '../../../src/adapters/postgres/connect.js'
import type { HotCandle } from '../../../src/domain/hot-candle.js'
import { seriesKeyOf, type Series } from '../../../src/domain/partition.js'
import type { Subscription } from '../../../src/domain/ports/hot-feed.js'
import { sliceOf } from '../../../src/domain/slice.js'
import { hotBar, MINUTE_US, usAt } from '../../support/hot-candles.js'
import { startServer } from '../../support/postgres.js'
import { until } from '../rig.js'
import { randomOf, type Scenario } from '../scenario.js'

const CRASHES = 2
const SERIES = 4
const FROM_US = usAt('2024-01-01T00:00Z')
const RESUME_MS = 5_000

export const feedCrashed: Scenario = {
  name: 'feed-crashed',
  title: 'subscriptions outlive a Postgres stopped with -m immediate under load: back within 5 s, nothing missed',
  backends: ['postgres'],
  async run(o) {
    const random = randomOf(o.seed)
    const server = await startServer({ durable: true })
    const catalog = await openCatalog({ connection: server.connection, maxConnections: 8, applicationName: 'faults' })
    const [all, stop] = [Array.from({ length: SERIES }, (_, n) => followed(n)), new AbortController()]
    try {
      for (const one of all) await one.subscribe(catalog)
      const writing = Promise.all(all.map((one) => one.write(catalog, stop.signal, random)))
      const wrong: string[] = []
      let slowest = 0
      for (let crash = 1; crash <= (o.count ?? CRASHES); crash++) {
        await sleep(200 + random() * 500)
        for (const one of all) one.healed = false
        await server.crash()
        await sleep(random() * 1_500)
        await server.start()
        const startedMs = Date.now()
        const back = await until(() => all.every(({ healed }) => healed), RESUME_MS, 10)
        slowest = Math.max(slowest, Date.now() - startedMs)
        if (!back) wrong.push(`crash ${crash}: a subscription did not resume within ${RESUME_MS} ms`)
      }
      stop.abort()
      await writing
      const missed = async () => (await Promise.all(all.map((one) => one.differences(catalog)))).flat()
      await until(async () => (await missed()).length === 0, 10_000)
      wrong.push(...await missed())
      for (const one of all) wrong.push(...one.twice.map((what) => `told twice: ${what}`))
      const refused = all.reduce((sum, one) => sum + one.refused, 0)
      if (refused === 0) wrong.push('no write met the crash')
      const written = all.reduce((sum, one) => sum + one.written, 0)
      o.say(`${o.count ?? CRASHES} crashes, ${written} writes, ${refused} refused, resumed after ${slowest} ms at most`)
      return { faults: o.count ?? CRASHES, violations: wrong }
    } finally {
      stop.abort()
      await catalog.close()
      await server.stop()
    }
  },
}

/** A series with one who writes it, new rows and corrections, and one who follows it. */
function followed(n: number) {
  const series: Series = { dataset: 'spot-klines', symbol: `CRASH${n}USDT`, interval: '1m' }
  const heard = new Map<bigint, HotCandle['close']>()
  const seen = new Set<string>()
  const self = {
    healed: false, written: 0, refused: 0, twice: [] as string[],
    subscribe: (catalog: Catalog): Promise<Subscription> =>
      catalog.feed.subscribe(series, (event) => {
        if (event.type === 'healed') self.healed = true
        for (const { openTimeUs, close, cursor } of event.type === 'candles' ? event.candles : []) {
          heard.set(openTimeUs, close)
          if (seen.has(cursor)) self.twice.push(`${seriesKeyOf(series)} ${cursor}`)
          seen.add(cursor)
        }
      }),
    async write(catalog: Catalog, signal: AbortSignal, random: () => number): Promise<void> {
      for (let row = 0; !signal.aborted; row++) {
        const rows = [hotBar(FROM_US + BigInt(row) * MINUTE_US)]
        if (random() < 0.3) rows.push(hotBar(FROM_US + BigInt(Math.floor(random() * row)) * MINUTE_US, 1 + row % 90))
        // What a crash leaves unanswered may have been committed: it is stored again, and is no news then.
        while (!await catalog.hot.save(series, rows, 'closed').then(() => true, () => false)) {
          self.refused++
          await sleep(20)
        }
        self.written++
        await sleep(5)
      }
    },
    async differences(catalog: Catalog): Promise<string[]> {
      const rows = await catalog.hot.read(sliceOf(series, FROM_US, FROM_US + 1_000_000n * MINUTE_US))
      const missed = rows.filter(({ openTimeUs, close }) => heard.get(openTimeUs) !== close)
      return missed.map(({ openTimeUs }) => `${seriesKeyOf(series)} ${openTimeUs}: not told as it is`)
    },
  }
  return self
}
