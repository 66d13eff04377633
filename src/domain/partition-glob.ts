import { clip, DATASETS } from './dataset.js'
import { PipelineError } from './errors.js'
import { INTERVALS } from './interval.js'
import { parseMonth } from './month.js'
import type { Partition } from './partition.js'
import type { PartitionFilter } from './ports/keeper-catalog.js'
import { isGlob, matchesGlob, parseSymbolGlob } from './selection.js'

/** Partitions by pattern: one glob for each part of `dataset/symbol/interval/month`. */
export type PartitionGlob = {
  readonly dataset: string
  readonly symbol: string
  readonly interval: string
  readonly month: string
}

const DO = 'use dataset/symbol/interval/month, e.g. "um-klines/*/1m/2022-0?"'

/**
 * Reads `um-klines/BTC*USDT/1m/2022-0?` and shorter ones: parts left out at the end match all. Every glob is checked
 * against what could exist, so that a typo is an error and not an empty result.
 * @throws {BAD_PARTITION, BAD_SYMBOL, BAD_RANGE}
 */
export function parsePartitionGlob(text: string): PartitionGlob {
  const [dataset = '*', symbol = '*', interval = '*', month = '*', ...rest] = text.split('/')
  const parts = [dataset, symbol, interval, month]
  if (rest.length > 0 || parts.includes('')) {
    throw new PipelineError('BAD_PARTITION', `"${clip(text)}" is not a partition or a glob of them`, { do: DO })
  }
  oneOf(DATASETS, dataset, 'dataset')
  oneOf(INTERVALS, interval, 'interval')
  return { dataset, symbol: parseSymbolGlob(symbol), interval, month: parseMonthGlob(month) }
}

/** Whether a partition matches. */
export const matchesPartition = (glob: PartitionGlob, p: Partition): boolean =>
  matchesGlob(glob.dataset, p.dataset) && matchesGlob(glob.symbol, p.symbol) &&
  matchesGlob(glob.interval, p.interval) && matchesGlob(glob.month, p.month)

/** A filter that lets through every partition that matches, and some others where symbol or month is a pattern. */
export function filterOf(glob: PartitionGlob): PartitionFilter {
  return {
    ...(glob.dataset === '*' ? {} : { datasets: DATASETS.filter((d) => matchesGlob(glob.dataset, d)) }),
    ...(isGlob(glob.symbol) ? {} : { symbols: [glob.symbol] }),
    ...(glob.interval === '*' ? {} : { intervals: INTERVALS.filter((i) => matchesGlob(glob.interval, i)) }),
    ...(isGlob(glob.month) ? {} : { months: [glob.month] }),
  }
}

function oneOf(known: readonly string[], glob: string, what: string): void {
  if (known.some((name) => matchesGlob(glob, name))) return
  throw new PipelineError('BAD_PARTITION', `"${clip(glob)}" matches no ${what}`, {
    do: `use one of ${known.join(', ')}`,
  })
}

function parseMonthGlob(text: string): string {
  if (!isGlob(text)) return parseMonth(text)
  if (/^[\d*?-]{1,7}$/.test(text)) return text
  throw new PipelineError('BAD_RANGE', `"${clip(text)}" matches no month`, { do: 'use a glob like "2022-0?"' })
}
