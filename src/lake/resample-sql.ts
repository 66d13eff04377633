import type { NumericType } from '../domain/candle.js'
import type { Dataset } from '../domain/dataset.js'
import type { ParquetFooter } from '../domain/parquet-footer.js'
import type { ResamplePlan } from '../domain/resample.js'
import { statsOf } from './lake-stats.js'

/**
 * `arg_min` and `arg_max` need no order: `first(open ORDER BY open_time)` sorts every bucket. `footers` are those of the
 * files that are read.
 */
export function resampleSql(
  dataset: Dataset,
  plan: ResamplePlan,
  o: { readonly numericType: NumericType; readonly footers: readonly ParquetFooter[] },
): string {
  const stats = o.footers.map((footer) => statsOf(footer, 0).columns)
  const isSmall = (column: string): boolean =>
    stats.every((columns) => isWithin(columns[column]?.min, ROUND_BELOW) && isWithin(columns[column]?.max, ROUND_BELOW))
  const total = (column: string): string => {
    if (o.numericType === 'decimal') return `sum(${column})::DECIMAL(38,8)`
    return isSmall(column) ? exactTotalOfSmall(column) : exactTotal(column)
  }
  return `SELECT bucket AS "openTimeUs", arg_min(open, open_time) AS open, max(high) AS high, min(low) AS low,
    arg_max(close, open_time) AS close, ${total('volume')} AS volume, arg_max(close_time, open_time) AS "closeTimeUs",
    ${total('quote_volume')} AS "quoteVolume", sum(trades)::BIGINT AS trades,
    ${total('taker_buy_volume')} AS "takerBuyVolume", ${total('taker_buy_quote_volume')} AS "takerBuyQuoteVolume",
    count(*) = ${expected(plan)} AS complete
  FROM (SELECT *, ${bucket(plan)} AS bucket FROM ${dataset.replaceAll('-', '_')})
  GROUP BY bucket ORDER BY bucket`
}

/**
 * Up to here a product with 10^8 is nearer to the whole number that is meant than to any other: the double is at most 0.19
 * from it by its own rounding, the product 0.25 by another.
 */
const ROUND_BELOW = 33_554_432

const isWithin = (value: unknown, limit: number): boolean => typeof value === 'number' && Math.abs(value) < limit

/**
 * The same sum as `exactTotal`, of values whose footers say that all are small. The cast rounds to the nearest. Years of
 * 1m to 1d by totals of this kind take 1.03 times the processor time of fsum, by `exactTotal` 1.65 times, with `round` 1.14.
 */
const exactTotalOfSmall = (column: string): string =>
  `(sum((${column} * 1e8)::BIGINT)::VARCHAR || 'e-8')::DOUBLE`

/** From here on neighbouring doubles are further apart than two numbers of eight decimals. */
const EXACT_BELOW = 67_108_864

/**
 * The double of the exchange's own total: the numbers that the doubles stand for are added as integers of 10^-8, and
 * the sum is rounded once, by way of its text. Of 384 real bars (5m and 1h, out of 1m) fsum gave 157 with another double,
 * sum 321, sums of DECIMAL(38,8) 2, this none. It takes twice as long as fsum, 13 ms a million values more; large ones
 * with a fraction are read off their shortest text, which takes 3 microseconds each.
 */
function exactTotal(column: string): string {
  const scaled = `(floor(${column}) * 1e8 + round((${column} - floor(${column})) * 1e8))::BIGINT`
  const small = `sum(CASE WHEN ${column} < ${EXACT_BELOW} THEN ${scaled} ELSE 0 END)`
  // CASE and not FILTER, which would make text of every value first.
  const large = `sum(CASE WHEN ${column} < ${EXACT_BELOW} THEN 0
    WHEN ${column} = floor(${column}) THEN ${column}::HUGEINT::DECIMAL(38,8)
    ELSE ${column}::VARCHAR::DECIMAL(38,8) END)`
  return `((${small} + (${large} * 100000000)::HUGEINT)::VARCHAR || 'e-8')::DOUBLE`
}

function bucket({ stepUs, anchorUs }: ResamplePlan): string {
  if (stepUs === null) return `date_trunc('month', open_time)`
  return `make_timestamptz((epoch_us(open_time) - ${anchorUs}) // ${stepUs} * ${stepUs} + ${anchorUs})`
}

/** Source bars of a whole bucket. */
function expected({ stepUs, sourceStepUs }: ResamplePlan): string {
  if (stepUs !== null) return String(stepUs / sourceStepUs)
  return `(epoch_us(bucket + INTERVAL 1 MONTH) - epoch_us(bucket)) // ${sourceStepUs}`
}
