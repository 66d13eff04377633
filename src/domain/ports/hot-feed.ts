import type { HotCandle } from '../hot-candle.js'
import type { Series } from '../partition.js'

/**
 * A closed bar that is new or was corrected: `corrected` when it replaces one that could be read before. `cursor` is
 * where a subscription goes on that has seen it.
 */
export type FeedCandle<C = HotCandle> = C & { readonly corrected: boolean; readonly cursor: string }

/**
 * What a listener hears. `candles`: rows of one or more changes, in the order of these, then of time. `healed`: the
 * connection was lost for `awayMs` (null: the subscription began at an older cursor) and `rows` rows were caught up on,
 * all of which came before this. `restarted`: the cursor is ahead of the database, which is another one or was
 * restored; what lies between cannot be told, so read it anew.
 */
export type FeedEvent<C = HotCandle> =
  | { readonly type: 'candles'; readonly candles: readonly FeedCandle<C>[]; readonly cursor: string }
  | { readonly type: 'healed'; readonly awayMs: number | null; readonly rows: number; readonly cursor: string }
  | { readonly type: 'restarted'; readonly cursor: string }

/** The next event waits for the promise; what comes meanwhile lies in the database, not in memory. */
export type FeedListener<C = HotCandle> = (event: FeedEvent<C>) => void | Promise<void>

export type SubscribeOptions = {
  /** Where to go on: a cursor of an earlier subscription. Default: now. */
  readonly after?: string | undefined
  /** Begin with the newest rows there are, so many, at most 1,000; not with `after`. */
  readonly last?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Hears when notifications stop coming, and when they come again; what was missed follows. Throwing ends it too. */
  readonly onState?: ((state: 'live' | 'away') => void) | undefined
}

export interface Subscription extends AsyncDisposable {
  /** Where it stands: all that the listener has done. */
  readonly cursor: string
  /** Resolves when it has ended: null, or what the listener or `onState` threw or the database refused. */
  readonly ended: Promise<unknown>
  /** Ends it; the listener is not called again. */
  close(): Promise<void>
}

/** New and corrected rows, as they are committed. */
export interface HotFeed {
  /**
   * @throws {BAD_CONFIG} notifications do not arrive: a pooler in transaction mode
   * @throws {CATALOG_UNREACHABLE, BAD_USAGE}
   */
  subscribe(series: Series, listener: FeedListener, o?: SubscribeOptions): Promise<Subscription>
  close(): Promise<void>
}
