import type { HotCandle } from '../hot-candle.js'
import type { Series } from '../partition.js'

/** Closed candles in time order, and whether there are more after them by now. */
export type ExchangePage = { readonly closed: readonly HotCandle[]; readonly more: boolean }

/** The exchange's API as far as it shows candles. */
export interface Exchange {
  /**
   * Candles of a series that open at `fromUs` or later and have closed by the exchange's own clock, up to 1,000.
   * @throws {EXCHANGE_UNREACHABLE, EXCHANGE_BUSY, EXCHANGE_BANNED, EXCHANGE_RESTRICTED, EXCHANGE_REFUSED, BAD_MARKET}
   */
  candles(o: { series: Series; fromUs: bigint; signal: AbortSignal }): Promise<ExchangePage>
  /** The exchange's clock, microseconds since 1970. Same errors. */
  nowUs(signal: AbortSignal): Promise<bigint>
}
