import { writeKlineFile, type KlineFile } from '../src/archive-server/kline-file.js'
import { syntheticCandles } from '../src/archive-server/synthetic-candles.js'
import { addMonths } from '../src/domain/month.js'
import { inOwnProcess } from './own-process.js'

const STEP_MS = { '1s': 1_000, '1m': 60_000, '1h': 3_600_000, '1d': 86_400_000 } as const

/** Spot klines to make, in the archive's layout below `root`: every month of every symbol. */
export type WantedKlines = {
  readonly root: string
  readonly interval: keyof typeof STEP_MS
  readonly symbols: readonly string[]
  readonly months: readonly string[]
}

/** What was made: bytes are sums. */
export type MadeKlines = { readonly files: readonly KlineFile[]; readonly csvBytes: number; readonly zipBytes: number; readonly rows: number }

/** Months one after the other: `monthsFrom('2022-11', 3)` ends with `2023-01`. */
export const monthsFrom = (first: string, count: number): string[] => Array.from({ length: count }, (_, i) => addMonths(first, i))

/** The first `count` months of 31 days from a month on: a month of 1m has 44,640 rows. */
export function longMonthsFrom(first: string, count: number): string[] {
  return monthsFrom(first, count * 2).filter((month) => rangeMs(month).days === 31).slice(0, count)
}

/** Names that sort in the order of their numbers: `S0007USDT`. */
export const symbolNames = (count: number): string[] => Array.from({ length: count }, (_, i) => `S${String(i).padStart(4, '0')}USDT`)

/**
 * Writes an archive of random walks, the same bytes every time, in processes of their own: neither their time nor their
 * memory is in what is measured afterwards.
 */
export async function generateKlines(wanted: WantedKlines): Promise<MadeKlines> {
  const half = Math.ceil(wanted.symbols.length / 2)
  const shares = [wanted.symbols.slice(0, half), wanted.symbols.slice(half)].filter((symbols) => symbols.length > 0)
  const made = await Promise.all(
    shares.map((symbols) => inOwnProcess<KlineFile[]>(import.meta.url, 'writeKlines', { ...wanted, symbols })),
  )
  const files = made.flatMap(({ value }) => value)
  const sum = (of: 'csvBytes' | 'zipBytes' | 'rows'): number => files.reduce((total, file) => total + file[of], 0)
  return { files, csvBytes: sum('csvBytes'), zipBytes: sum('zipBytes'), rows: sum('rows') }
}

/** Writes them in this process. */
export async function writeKlines({ root, interval, symbols, months }: WantedKlines): Promise<KlineFile[]> {
  const files: KlineFile[] = []
  for (const symbol of symbols) {
    for (const month of months) {
      const { fromMs, toMs } = rangeMs(month)
      const seed = fromMs / 86_400_000 + 100_003 * Number(symbol.replace(/\D/g, ''))
      const rows = syntheticCandles({ seed, fromMs, toMs, stepMs: STEP_MS[interval] })
      files.push(await writeKlineFile({ root, market: 'spot', period: 'monthly', symbol, interval, label: month, rows }))
    }
  }
  return files
}

function rangeMs(month: string): { fromMs: number; toMs: number; days: number } {
  const fromMs = Date.parse(`${month}-01T00:00:00Z`)
  const toMs = Date.parse(`${addMonths(month, 1)}-01T00:00:00Z`)
  return { fromMs, toMs, days: (toMs - fromMs) / 86_400_000 }
}
