import { dataTypeOf, datasetOf, marketOf, type Market } from './dataset.js'
import { PipelineError } from './errors.js'
import { parseInterval } from './interval.js'
import { dayStartUs, monthRange, parseMonth, US_PER_DAY, type Month, type TimeRange } from './month.js'
import type { Partition, Series } from './partition.js'
import { parseSymbol } from './symbol.js'

/** A key in the archive's bucket, not percent-encoded: `data/spot/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2024-01.zip`. */
export type ArchiveKey = string

export type Period = 'monthly' | 'daily'

const ROOTS: Record<Market, string> = { spot: 'data/spot', um: 'data/futures/um', cm: 'data/futures/cm' }

/** The listing prefix whose child folders are the symbols of a dataset; ends in `/`. */
export const symbolsPrefixOf = (dataset: Series['dataset'], period: Period = 'monthly'): string =>
  `${ROOTS[marketOf(dataset)]}/${period}/${dataTypeOf(dataset)}/`

/** The listing prefix whose child folders are the intervals of a symbol; ends in `/`. */
export const intervalsPrefixOf = (s: Pick<Series, 'dataset' | 'symbol'>, period: Period = 'monthly'): string =>
  `${symbolsPrefixOf(s.dataset, period)}${s.symbol}/`

/** The listing prefix of a series' files; ends in `/`, since `BTCUSDT` would match `BTCUSDT_240329` too. */
export const filesPrefixOf = (s: Series, period: Period = 'monthly'): string =>
  `${intervalsPrefixOf(s, period)}${s.interval}/`

/** The key of a month's ZIP as the archive names it today. */
export const monthlyKeyOf = (p: Partition): ArchiveKey => `${filesPrefixOf(p)}${p.symbol}-${p.interval}-${p.month}.zip`

/** The key of a day's ZIP; `day` is `2024-01-05`. */
export const dailyKeyOf = (s: Series, day: string): ArchiveKey =>
  `${filesPrefixOf(s, 'daily')}${s.symbol}-${s.interval}-${day}.zip`

export const checksumKeyOf = (key: ArchiveKey): ArchiveKey => `${key}.CHECKSUM`

/** The last segment of a key: what a CHECKSUM must name. */
export const fileNameOf = (key: ArchiveKey): string => key.slice(key.lastIndexOf('/') + 1)

/** What a ZIP key of the archive holds: its series, and the month or the day (months may be unpadded: `2020-8`). */
export type ArchiveFile = { readonly series: Series; readonly period: Period; readonly month: Month; readonly day: string | null }

const FILE = /^(data\/spot|data\/futures\/um|data\/futures\/cm)\/(monthly|daily)\/klines\/([^/]+)\/([^/]+)\/([^/]+)\.zip$/

/** The inverse of `monthlyKeyOf` and `dailyKeyOf`, tolerant of unpadded dates; null for any other key. */
export function parseArchiveKey(key: ArchiveKey): ArchiveFile | null {
  const m = FILE.exec(key)
  if (!m) return null
  const [, root, period, symbolText = '', intervalText = '', name = ''] = m
  const market = (Object.keys(ROOTS) as Market[]).find((k) => ROOTS[k] === root) ?? 'spot'
  const date = new RegExp(`^${escape(symbolText)}-${escape(intervalText)}-(\\d{4})-(\\d{1,2})(?:-(\\d{1,2}))?$`).exec(name)
  if (!date || (period === 'daily') !== (date[3] !== undefined)) return null
  try {
    const symbol = parseSymbol(symbolText)
    if (symbol !== symbolText) return null
    const series = { dataset: datasetOf(market, 'klines'), symbol, interval: parseInterval(intervalText) }
    const month = parseMonth(`${date[1]}-${(date[2] ?? '').padStart(2, '0')}`)
    return { series, period: period as Period, month, day: date[3] ? `${month}-${date[3].padStart(2, '0')}` : null }
  } catch (thrown) {
    if (thrown instanceof PipelineError) return null
    throw thrown
  }
}

/** The half-open range of open times that an archive file covers. */
export function rangeOfFile(file: Pick<ArchiveFile, 'month' | 'day'>): TimeRange {
  if (file.day === null) return monthRange(file.month)
  const fromUs = dayStartUs(file.day)
  return { fromUs, toUs: fromUs + US_PER_DAY }
}

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

