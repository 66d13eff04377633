import type { Dataset } from './dataset.js'
import type { Interval } from './interval.js'
import type { MonthSpan } from './range.js'
import type { SymbolSelection } from './selection.js'

/** What a backfill is asked for. */
export type BackfillRequest = {
  readonly dataset: Dataset
  readonly symbols: SymbolSelection
  readonly intervals: readonly Interval[]
  readonly months: MonthSpan
}
