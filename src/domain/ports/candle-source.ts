import type { Call } from '../call.js'
import type { Batches, Candle } from '../candle-row.js'
import type { Dataset } from '../dataset.js'
import type { Interval } from '../interval.js'
import type { Month } from '../month.js'
import type { Series } from '../partition.js'
import type { OpenRange } from '../range.js'
import type { Slice } from '../slice.js'

/** Which candles are asked for. Null symbols or intervals are all; `matching` is asked about upper-case names. */
export type WantedCandles = {
  readonly dataset: Dataset
  readonly symbols: { readonly names: readonly string[] } | { readonly matching: (symbol: string) => boolean }
  readonly intervals: readonly Interval[] | null
  readonly range: OpenRange
}

/** A series that is there, the part of it that is wanted, and the months of that part that it has. */
export type FoundCandles = { readonly at: Slice; readonly months: readonly Month[] }

/** Somewhere that candles of many series can be had from: a lake, or the archive itself. */
export interface CandleSource {
  /** By symbol and interval; `onMissing` hears of named series of which nothing is there. */
  find(
    wanted: WantedCandles, o: { signal: AbortSignal; onMissing: (series: Series) => void },
  ): AsyncIterable<FoundCandles>
  /** Numbers as a double lake holds them, or as exact decimals. */
  read(at: Slice, call: Call): Batches<Candle<number> | Candle<string>>
  /** Parquet files with all candles of the slice, in order, each with its month; they last as long as `scratch`. */
  files(at: Slice, o: { scratch: string } & Call): AsyncIterable<{ readonly month: Month; readonly path: string }>
}
