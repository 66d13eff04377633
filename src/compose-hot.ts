import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import type { App } from './cli/app.js'
import type { Services } from './compose-services.js'
import type { Config } from './config.js'
import { errnoOf } from './domain/errno.js'
import { PipelineError } from './domain/errors.js'
import type { FeedListener } from './domain/ports/hot-feed.js'
import type { HotStore } from './domain/ports/hot-store.js'
import type { Observe } from './domain/ports/observe.js'

type HotWork = Pick<App, 'hot' | 'subscribe' | 'sync' | 'repository' | 'loadHot' | 'loadHotCsv' | 'pruneHot'>

/** What is done with hot rows; DuckDB is loaded where months are read. */
export function composeHot({ numericType, hotDays }: Config, services: Services, observe: Observe): HotWork {
  const hot = async () => (await services.catalog()).hot
  let open = 0
  const counted = (change: 1 | -1): void => observe({ type: 'subscriptions', open: (open += change) })
  return {
    hot,
    subscribe: async (series, listener, o) => {
      const { listenerIn } = await import('./lake/feed-listener.js')
      const { feed } = await services.catalog()
      const subscription = await feed.subscribe(series, healing(listenerIn(numericType, listener), observe), o)
      counted(1)
      void subscription.ended.then(() => counted(-1))
      return subscription
    },
    repository: async () => {
      const { hybridRepository } = await import('./lake/hybrid-repository.js')
      return hybridRepository({ hot: await hot(), lake: await services.query(), numericType })
    },
    sync: async function* ({ series, fromUs, signal }) {
      const { syncEach } = await import('./lake/sync-hot.js')
      const ports = { hot: feeding(await hot(), observe), exchange: await services.exchange(), hotDays }
      yield* syncEach(ports, series, { fromUs, signal })
    },
    loadHot: async function* ({ filter, signal }) {
      const { opened: { hot, keeper } } = await services.adopted()
      const { loadMonths } = await import('./lake/load-hot.js')
      yield* loadMonths({ hot, keeper, lake: await services.query(), numericType }, filter, signal)
    },
    loadHotCsv: async ({ series, file, signal }) => {
      const { klineCsvRows } = await import('./lake/kline-csv.js')
      const { loadRows } = await import('./lake/load-hot.js')
      const { opened } = await services.adopted()
      return await loadRows(opened.hot, series, klineCsvRows(await openText(file), file), signal)
    },
    pruneHot: async function* ({ dryRun, signal }) {
      const { pruneHot } = await import('./lake/prune-hot.js')
      const lake = await services.query()
      yield* pruneHot({ hot: await hot(), lake, numericType, hotDays, now: new Date(), dryRun, signal })
    },
  }
}

/** Tells of every page that is stored: a series that fails later has stored these. */
const feeding = (hot: HotStore, observe: Observe): HotStore => ({
  ...hot,
  save: async (series, rows, standing) => {
    const stored = await hot.save(series, rows, standing)
    observe({ type: 'fed', series, stored })
    return stored
  },
})

/** A subscription that began at an older cursor was not cut off. */
const healing = (listener: FeedListener, observe: Observe): FeedListener => (event) => {
  if (event.type === 'healed' && event.awayMs !== null) observe({ type: 'healed', awayMs: event.awayMs })
  return listener(event)
}

/** @throws {BAD_USAGE} */
async function openText(file: string): Promise<Readable> {
  if (file === '-') return process.stdin
  const stream = createReadStream(file)
  try {
    // A folder is opened as a file is, and refused when it is read.
    await once(stream, 'readable')
  } catch (thrown) {
    const why = errnoOf(thrown) ?? 'unknown reason'
    const facts = { at: '--csv', do: 'name another one' }
    throw new PipelineError('BAD_USAGE', `the file cannot be read (${why})`, facts, thrown)
  }
  return stream
}
