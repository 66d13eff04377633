import { CANDLE_COLUMNS, type CandleColumnName } from './candle.js'
import { PipelineError } from './errors.js'
import { gridOf, type Interval } from './interval.js'
import { US_PER_DAY } from './month.js'

/** How bars become coarser ones: the bucket's grid (a null step is the calendar month) and the source's step. */
export type ResamplePlan = {
  readonly stepUs: bigint | null
  readonly anchorUs: bigint
  /** A bucket is complete when it holds one source bar for each of these. */
  readonly sourceStepUs: bigint
}

/** @throws {BAD_INTERVAL} when source bars would lie across the ends of buckets */
export function resamplePlan(from: Interval, to: Interval): ResamplePlan {
  const [source, target] = [gridOf(from), gridOf(to)]
  const fits =
    source.stepUs !== null &&
    (target.stepUs === null
      ? US_PER_DAY % source.stepUs === 0n
      : target.stepUs % source.stepUs === 0n && (target.anchorUs - source.anchorUs) % source.stepUs === 0n)
  if (fits && source.stepUs !== null) return { ...target, sourceStepUs: source.stepUs }
  throw new PipelineError('BAD_INTERVAL', `${from} bars do not make up ${to} bars`, {
    at: to,
    do: 'use a multiple of the finer interval, or a finer source',
  })
}

/** The columns that resampling reads: all but the series' own. */
export const resampleColumns = (): CandleColumnName[] =>
  CANDLE_COLUMNS.filter((column) => !('constant' in column)).map(({ name }) => name)
