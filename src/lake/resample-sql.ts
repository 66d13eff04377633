import type { NumericType } from '../domain/candle.js'
import type { Dataset } from '../domain/dataset.js'
import type { ResamplePlan } from '../domain/resample.js'

/**
 * `arg_min` and `arg_max` need no order: `first(open ORDER BY open_time)` sorts every bucket. `fsum` compensates what
 * adding doubles loses, and gives one sum whatever thread added what.
 */
export function resampleSql(dataset: Dataset, plan: ResamplePlan, numericType: NumericType): string {
  const sum = numericType === 'double' ? 'fsum' : 'sum'
  const total = (column: string): string => numericType === 'double' ? `${sum}(${column})` : `${sum}(${column})::DECIMAL(38,8)`
  return `SELECT bucket AS "openTimeUs", arg_min(open, open_time) AS open, max(high) AS high, min(low) AS low,
    arg_max(close, open_time) AS close, ${total('volume')} AS volume, arg_max(close_time, open_time) AS "closeTimeUs",
    ${total('quote_volume')} AS "quoteVolume", sum(trades)::BIGINT AS trades,
    ${total('taker_buy_volume')} AS "takerBuyVolume", ${total('taker_buy_quote_volume')} AS "takerBuyQuoteVolume",
    count(*) = ${expected(plan)} AS complete
  FROM (SELECT *, ${bucket(plan)} AS bucket FROM ${dataset.replaceAll('-', '_')})
  GROUP BY bucket ORDER BY bucket`
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
