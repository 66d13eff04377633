import type { ArchiveKey, Period } from '../domain/archive-names.js'
import { addMonths } from '../domain/month.js'
import { writeKlineFile, type KlineFile } from './kline-file.js'
import { aggregateBars, csvRowOf, type SyntheticBar } from './synthetic-bar.js'
import { syntheticCandles } from './synthetic-candles.js'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

const SYMBOLS = [
  { symbol: 'BTCUSDT', seed: 20_241_101, price: 96_000, volumePerMinute: 13 },
  { symbol: 'ETHUSDT', seed: 20_241_102, price: 3_350, volumePerMinute: 190 },
] as const
const MONTHS = [
  { month: '2024-11', unit: 'ms' }, { month: '2024-12', unit: 'ms' }, { month: '2025-01', unit: 'us' },
] as const
const INTERVALS = [{ interval: '1m', stepMs: MINUTE_MS }, { interval: '1h', stepMs: HOUR_MS }] as const
const DAYS = ['2025-01-01', '2025-01-02', '2025-01-03'] as const
const GAP = {
  symbol: 'BTCUSDT', month: '2024-12', fromMs: Date.UTC(2024, 11, 10, 3), toMs: Date.UTC(2024, 11, 10, 7),
  missingRows: { '1m': 240, '1h': 4 },
} as const
const STALE = { symbol: 'ETHUSDT', interval: '1h', month: '2024-11' } as const

export type SampleFile = KlineFile & {
  readonly period: Period
  readonly symbol: string
  readonly interval: '1m' | '1h'
  /** The month or the day. */
  readonly label: string
  readonly unit: 'ms' | 'us'
}

/** What the sample holds. All of it is spot klines. */
export type SampleFacts = {
  readonly market: 'spot'
  readonly symbols: readonly string[]
  readonly intervals: readonly ('1m' | '1h')[]
  /** First and last month, both in. */
  readonly from: string
  readonly to: string
  /** Monthly files and, for the first days of the last month, daily ones with the same rows. */
  readonly files: readonly SampleFile[]
  /** The one outage, ms since 1970, `[fromMs, toMs)`: it is missing from both intervals of its symbol and month. */
  readonly gap: {
    readonly symbol: string
    readonly month: string
    readonly fromMs: number
    readonly toMs: number
    readonly missingRows: { readonly '1m': number; readonly '1h': number }
  }
  /** The one ZIP that is good but whose CHECKSUM holds another digest. */
  readonly staleChecksum: {
    readonly key: ArchiveKey
    readonly symbol: string
    readonly interval: string
    readonly month: string
  }
}

/** Writes the sample below `root/data`: always the same bytes, about 280,000 rows. Holds two files at a time. */
export async function writeSampleArchive(root: string): Promise<SampleFacts> {
  const files: SampleFile[] = []
  let writing: Promise<SampleFile[]> = Promise.resolve([])
  for (const s of SYMBOLS) {
    for (const m of MONTHS) {
      // The next month is made while this one is deflated, which is another thread's work.
      const next = writeMonth(root, s.symbol, m, barsOf(s, m.month))
      // Awaited a turn later: should the one before fail first, this one's failure must not go unhandled.
      next.catch(() => null)
      files.push(...(await writing))
      writing = next
    }
  }
  files.push(...(await writing))
  return {
    market: 'spot', symbols: SYMBOLS.map((s) => s.symbol), intervals: INTERVALS.map((i) => i.interval),
    from: MONTHS[0].month, to: MONTHS[2].month, files, gap: GAP,
    staleChecksum: { ...STALE, key: files.find(isStale)?.key ?? '' },
  }
}

/** Makes bars anew each time it is called: no slower than keeping them, at a peak of 150 MB in place of 208. */
type Bars = () => Iterable<SyntheticBar>

/** The minutes of a symbol's month; each month is a walk of its own, from the symbol's price. */
function barsOf(s: (typeof SYMBOLS)[number], month: string): Bars {
  const fromMs = Date.parse(`${month}-01T00:00:00Z`)
  const toMs = Date.parse(`${addMonths(month, 1)}-01T00:00:00Z`)
  const { bars } = syntheticCandles({ ...s, seed: s.seed + fromMs / DAY_MS, fromMs, toMs, stepMs: MINUTE_MS })
  if (s.symbol !== GAP.symbol) return bars
  return () => pickedFrom(bars(), (bar) => bar.fromMs < GAP.fromMs || bar.fromMs >= GAP.toMs)
}

function* pickedFrom(bars: Iterable<SyntheticBar>, wanted: (bar: SyntheticBar) => boolean): Generator<SyntheticBar> {
  for (const bar of bars) if (wanted(bar)) yield bar
}

type Wanted = Pick<SampleFile, 'symbol' | 'period' | 'label' | 'unit'> & { root: string; bars: Bars }

/** The month's file of each interval, and those of its days that the sample has. */
async function writeMonth(root: string, symbol: string, m: (typeof MONTHS)[number], bars: Bars) {
  const { unit } = m
  const written = [writeBars({ root, symbol, period: 'monthly', label: m.month, unit, bars })]
  for (const day of DAYS.filter((one) => one.startsWith(m.month))) {
    const fromMs = Date.parse(`${day}T00:00:00Z`)
    const ofDay: Bars = () => pickedFrom(bars(), (bar) => bar.fromMs >= fromMs && bar.fromMs < fromMs + DAY_MS)
    written.push(writeBars({ root, symbol, period: 'daily', label: day, unit, bars: ofDay }))
  }
  return (await Promise.all(written)).flat()
}

const writeBars = ({ root, symbol, period, label, unit, bars }: Wanted): Promise<SampleFile[]> =>
  Promise.all(INTERVALS.map(async ({ interval, stepMs }) => {
    const file = { period, symbol, interval, label, unit }
    const checksum = isStale(file) ? 'stale' : 'good'
    const rows = rowsOf(bars(), stepMs, unit)
    const written = await writeKlineFile({ root, market: 'spot', ...file, checksum, rows })
    return { ...written, ...file }
  }))

function* rowsOf(bars: Iterable<SyntheticBar>, stepMs: number, unit: 'ms' | 'us'): Generator<string> {
  const wanted = stepMs === MINUTE_MS ? bars : aggregateBars(bars, stepMs)
  for (const bar of wanted) yield csvRowOf(bar, { unit, decimals: 8 })
}

const isStale = ({ symbol, interval, label }: Pick<SampleFile, 'symbol' | 'interval' | 'label'>): boolean =>
  symbol === STALE.symbol && interval === STALE.interval && label === STALE.month
