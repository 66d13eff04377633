import { parseDataset, type Dataset } from './dataset.js'
import { clip } from './dataset.js'
import { PipelineError } from './errors.js'
import { parseInterval, type Interval } from './interval.js'
import { parseMonth, type Month } from './month.js'
import { parseSymbol } from './symbol.js'

/** Dataset, symbol and interval: what a chart shows. */
export type Series = { readonly dataset: Dataset; readonly symbol: string; readonly interval: Interval }

/** A series in one month: the unit of work, of storage and of truth. A bar belongs to the month of its open_time. */
export type Partition = Series & { readonly month: Month }

/** `spot-klines/BTCUSDT/1h/2024-01`: what people type and logs print. */
export type PartitionKey = string

export const partitionKeyOf = (p: Partition): PartitionKey => `${p.dataset}/${p.symbol}/${p.interval}/${p.month}`
export const seriesKeyOf = (s: Series): string => `${s.dataset}/${s.symbol}/${s.interval}`

/** @throws {BAD_PARTITION, BAD_MARKET, BAD_SYMBOL, BAD_INTERVAL, BAD_RANGE} */
export function parsePartitionKey(text: string): Partition {
  const [dataset, symbol, interval, month, ...rest] = text.split('/')
  if (!dataset || !symbol || !interval || !month || rest.length > 0) {
    throw new PipelineError('BAD_PARTITION', `"${clip(text)}" is not a partition`, {
      do: 'use dataset/symbol/interval/month, e.g. spot-klines/BTCUSDT/1h/2024-01',
    })
  }
  return {
    dataset: parseDataset(dataset),
    symbol: parseSymbol(symbol),
    interval: parseInterval(interval),
    month: parseMonth(month),
  }
}

/** The inverse of `seriesKeyOf`. @throws {BAD_PARTITION, BAD_MARKET, BAD_SYMBOL, BAD_INTERVAL} */
export function parseSeriesKey(text: string): Series {
  const [dataset, symbol, interval, ...rest] = text.split('/')
  if (!dataset || !symbol || !interval || rest.length > 0) {
    throw new PipelineError('BAD_PARTITION', `"${clip(text)}" is not a series`, {
      do: 'use dataset/symbol/interval, e.g. spot-klines/BTCUSDT/1h',
    })
  }
  return { dataset: parseDataset(dataset), symbol: parseSymbol(symbol), interval: parseInterval(interval) }
}

/** For who comes with names of its own: each must be as it is stored. @throws {BAD_MARKET, BAD_SYMBOL, BAD_INTERVAL} */
export function checkSeries(s: Series): void {
  const { symbol } = parseSeriesKey(seriesKeyOf(s))
  if (symbol !== s.symbol) {
    throw new PipelineError('BAD_SYMBOL', `"${clip(s.symbol)}" is not written as symbols are`, { do: `use ${symbol}` })
  }
}
