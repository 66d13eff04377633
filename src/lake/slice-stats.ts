import type { Dataset } from '../domain/dataset.js'
import type { ParquetFooter } from '../domain/parquet-footer.js'
import { planRanges } from '../domain/plan-ranges.js'
import type { OpenRange } from '../domain/range.js'
import { statsOf } from './lake-stats.js'

/** Where a figure came from: footers alone, or values that were read. */
export type FigureSource = 'footer' | 'scan'

/** Of the rows of a slice; `from` says where each came from. Null where there are no rows. */
export type SliceStats = {
  readonly rows: number
  readonly firstOpenUs: bigint | null
  readonly lastOpenUs: bigint | null
  readonly low: number | string | null
  readonly high: number | string | null
  readonly averageClose: number | null
  readonly averageVolume: number | null
  readonly from: Readonly<Record<'rows' | 'bounds' | 'prices' | 'averages', FigureSource>>
}

/** Rows and bounds by footers; null where a row group lies across an end of the range, or a footer does not say. */
export function footerFigures(
  footers: readonly ParquetFooter[],
  range: OpenRange,
): Omit<SliceStats, 'averageClose' | 'averageVolume' | 'from'> | null {
  let rows = 0
  const kept: ParquetFooter[] = []
  for (const footer of footers) {
    const { groups } = planRanges(footer, { columns: [], range })
    const rowGroups = groups.map((index) => footer.rowGroups[index]!)
    rows += rowGroups.reduce((sum, group) => sum + group.rows, 0)
    if (rowGroups.length > 0) kept.push({ ...footer, rowGroups })
  }
  const stats = kept.map((footer) => statsOf(footer, 0))
  const first = stats.map(({ firstOpenUs }) => firstOpenUs)
  const last = stats.map(({ lastOpenUs }) => lastOpenUs)
  const outside = (us: bigint | null): boolean =>
    us === null || (range.fromUs !== null && us < range.fromUs) || (range.toUs !== null && us >= range.toUs)
  if (first.some(outside) || last.some(outside)) return null
  const lows = stats.map(({ columns }) => columns['low']?.min ?? null)
  const highs = stats.map(({ columns }) => columns['high']?.max ?? null)
  if (lows.includes(null) || highs.includes(null)) return null
  const pick = (values: readonly unknown[], better: (a: number, b: number) => boolean): number | string | null =>
    values.reduce<number | string | null>(
      (best, value) => (best === null || better(Number(value), Number(best)) ? (value as number | string) : best),
      null,
    )
  return {
    rows,
    firstOpenUs: first.length === 0 ? null : (first as bigint[]).reduce((a, b) => (b < a ? b : a)),
    lastOpenUs: last.length === 0 ? null : (last as bigint[]).reduce((a, b) => (b > a ? b : a)),
    low: pick(lows, (a, b) => a < b),
    high: pick(highs, (a, b) => a > b),
  }
}

const BY_SCAN = ['count(*) AS rows', 'min(open_time) AS "firstOpenUs"', 'max(open_time) AS "lastOpenUs"']
const PRICES_BY_SCAN = ['min(low) AS low', 'max(high) AS high']

/** Averages of the rows of a view, and with `all` what footers could not tell. */
export function statsSql(dataset: Dataset, all: boolean): string {
  const averages = ['avg(close) AS "averageClose"', 'avg(volume) AS "averageVolume"']
  const figures = [...averages, ...(all ? [...BY_SCAN, ...PRICES_BY_SCAN] : [])]
  return `SELECT ${figures.join(', ')} FROM ${dataset.replaceAll('-', '_')}`
}
