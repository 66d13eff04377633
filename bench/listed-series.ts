import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { datasetOf, type Market } from '../src/domain/dataset.js'
import { monthsFromTo } from '../src/domain/month.js'
import type { WantedPartition } from '../src/domain/plan.js'
import { parseSymbol } from '../src/domain/symbol.js'

/** A symbol of a market and the first month that the archive has of it. */
export type ListedSymbol = { readonly market: Market; readonly symbol: string; readonly firstMonth: string }

const FILE = /^archive_earliest_dates_(spot|um|cm)\.csv$/
/** Symbols of each market in 2025, and how many months before 2025 their files begin on average. */
const STAND_IN = [['spot', 1_559, 30], ['um', 483, 16], ['cm', 65, 24]] as const

/** The symbols that `reference/archive_earliest_dates_*.csv` of a real archive's copy names. */
export async function listedSymbols(root: string): Promise<ListedSymbol[]> {
  const folder = join(root, 'reference')
  const names = (await readdir(folder)).filter((name) => FILE.test(name)).sort()
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
  return texts.flatMap((text) => text.trim().split('\n').slice(1).map(symbolOf))
}

function symbolOf(line: string): ListedSymbol {
  const [market = '', symbol = '', date = ''] = line.split(',')
  return { market: market as Market, symbol: parseSymbol(symbol), firstMonth: date.slice(0, 7) }
}

/** As many symbols of the same markets where there is no such copy; their first months are spread evenly. */
export function standInSymbols(): ListedSymbol[] {
  return STAND_IN.flatMap(([market, count, mean]) => Array.from({ length: count }, (_, i) => {
    const before = Math.round((2 * mean * i) / count)
    const firstMonth = new Date(Date.UTC(2024, 11 - before, 1)).toISOString().slice(0, 7)
    return { market, symbol: `S${String(i).padStart(4, '0')}USDT`, firstMonth }
  }))
}

/** Every month of 1h and 1d from a symbol's first to `lastMonth`, as a plan wants them that no listing helped. */
export function* wantedOf(symbols: readonly ListedSymbol[], lastMonth: string): Generator<WantedPartition> {
  for (const { market, symbol, firstMonth } of symbols) {
    const dataset = datasetOf(market, 'klines')
    for (const interval of ['1h', '1d'] as const) {
      for (const month of monthsFromTo(firstMonth, lastMonth)) {
        yield { partition: { dataset, symbol, interval, month }, sources: [], bounds: null }
      }
    }
  }
}
