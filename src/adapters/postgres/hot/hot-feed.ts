import { sql, type Kysely } from 'kysely'
import { cursorText, parseCursor } from '../../../domain/feed-cursor.js'
import { PipelineError } from '../../../domain/errors.js'
import { seriesKeyOf, type Series } from '../../../domain/partition.js'
import type { FeedListener, HotFeed, SubscribeOptions, Subscription } from '../../../domain/ports/hot-feed.js'
import { CHANNEL_SUFFIX } from './announce.js'
import { headsOf } from './changes.js'
import { feedReader } from './feed-reader.js'
import { Follower } from './follower.js'
import { hotRows } from './hot-store.js'
import { ListenLink, type LinkOptions } from './listen-link.js'

export type FeedOptions = Pick<LinkOptions, 'connection' | 'applicationName' | 'where' | 'pool' | 'log'> & {
  readonly db: Kysely<unknown>
  readonly schema: string
}

const MOST_AT_FIRST = 1_000

/** Subscriptions of this process, over one connection that listens while there are any. */
export function hotFeed(o: FeedOptions): HotFeed {
  const { db } = o
  const followers = new Set<Follower>()
  const read = feedReader(db)
  let link: Promise<ListenLink> | null = null

  const noted = (payload: string): void => {
    const [key, ...numbers] = payload.split(' ')
    const [change = NaN, firstUs = NaN, lastUs = NaN] = numbers.map(Number)
    if (!Number.isSafeInteger(change + firstUs + lastUs)) return
    const range = { fromUs: BigInt(firstUs), toUs: BigInt(lastUs) + 1n }
    for (const one of followers) if (one.key === key) one.noted({ change, range })
  }
  const catchUp = async (): Promise<void> => {
    const all = [...followers].map((one) => ({ one, known: one.head }))
    const heads = await headsOf(db, all.map(({ one }) => one.series))
    for (const { one, known } of all) one.resumed(heads.get(one.key) ?? 0, known)
  }
  const away = (sinceMs: number): void => {
    for (const one of followers) one.interrupted(sinceMs)
  }
  const linked = (): Promise<ListenLink> => {
    if (link) return link
    const channel = `${o.schema}${CHANNEL_SUFFIX}`
    const made = new ListenLink({ ...o, channel, onNote: noted, onUp: catchUp, onDown: away })
    const starting = made.start().then(() => made)
    link = starting
    starting.catch(() => {
      link = null
    })
    return starting
  }
  const left = async (follower: Follower): Promise<void> => {
    followers.delete(follower)
    if (followers.size > 0 || link === null) return
    const ending = link
    link = null
    await (await ending).close()
  }

  const subscribe = async (
    series: Series, listener: FeedListener, options: SubscribeOptions = {},
  ): Promise<Subscription> => {
    const { after, last = 0, signal, onState } = options
    const cursor = after === undefined ? null : parseCursor(after)
    if (!Number.isSafeInteger(last) || last < 0 || last > MOST_AT_FIRST) throw badLast()
    signal?.throwIfAborted()
    const follower: Follower = new Follower({ series, listener, read, onState, onEnd: () => left(follower) })
    followers.add(follower)
    try {
      // Whoever listens first and then looks misses nothing between the two.
      await linked()
      signal?.throwIfAborted()
      const { head, rows } = await startOf(db, series, cursor === null ? last : 0)
      signal?.throwIfAborted()
      follower.start(head, cursor, rows)
    } catch (thrown) {
      await follower.close()
      throw thrown
    }
    signal?.addEventListener('abort', () => void follower.close(), { once: true })
    return follower
  }
  return {
    subscribe,
    close: async () => {
      await Promise.all([...followers].map((one) => one.close()))
    },
  }
}

/** The number of the latest change and the newest rows, of one instant. */
async function startOf(db: Kysely<unknown>, series: Series, last: number) {
  return await db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(async (trx) => {
    await sql`lock table only hot_candles in access share mode`.execute(trx)
    const head = (await headsOf(trx, [series])).get(seriesKeyOf(series)) ?? 0
    const cursor = cursorText({ change: head, openTimeUs: null })
    const rows = last === 0 ? [] : await hotRows(trx).latest(series, last)
    return { head, rows: rows.map((row) => ({ ...row, corrected: false, cursor })) }
  })
}

const badLast = (): PipelineError =>
  new PipelineError('BAD_USAGE', 'a subscription begins with 0 to 1,000 rows', { at: 'last', do: 'name fewer' })
