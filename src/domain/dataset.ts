import { PipelineError } from './errors.js'

export const MARKETS = ['spot', 'um', 'cm'] as const
/** `spot`, `um` (USD-M futures) or `cm` (COIN-M futures). */
export type Market = (typeof MARKETS)[number]

export const DATA_TYPES = ['klines'] as const
export type DataType = (typeof DATA_TYPES)[number]

/** Market and data type, the first part of every name: `spot-klines`. */
export type Dataset = `${Market}-${DataType}`

export const DATASETS: readonly Dataset[] = MARKETS.flatMap((market) => DATA_TYPES.map((type) => datasetOf(market, type)))

export function datasetOf(market: Market, type: DataType): Dataset {
  return `${market}-${type}`
}

/** @throws {BAD_MARKET} */
export function parseMarket(text: string): Market {
  const market = MARKETS.find((m) => m === text)
  if (market) return market
  throw new PipelineError('BAD_MARKET', `"${clip(text)}" is not a market`, { do: `use one of ${MARKETS.join(', ')}` })
}

/** @throws {BAD_MARKET} */
export function parseDataset(text: string): Dataset {
  const dataset = DATASETS.find((d) => d === text)
  if (dataset) return dataset
  throw new PipelineError('BAD_MARKET', `"${clip(text)}" is not a dataset`, { do: `use one of ${DATASETS.join(', ')}` })
}

export const marketOf = (dataset: Dataset): Market => dataset.slice(0, dataset.indexOf('-')) as Market
export const dataTypeOf = (dataset: Dataset): DataType => dataset.slice(dataset.indexOf('-') + 1) as DataType

/** Text for an error message: control characters escaped, at most 60 characters. */
export function clip(text: string): string {
  const shown = JSON.stringify(text).slice(1, -1)
  return shown.length <= 60 ? shown : `${shown.slice(0, 57)}...`
}
