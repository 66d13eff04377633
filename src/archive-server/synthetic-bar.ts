/**
 * A candle in whole numbers, so that sums are exact: prices in cents, volumes in 0.00001 of the base asset, quote
 * volumes in 0.0000001 of the quote asset (cents times volume units). Times are ms since 1970; `toMs` is excluded.
 */
export type SyntheticBar = {
  readonly fromMs: number
  readonly toMs: number
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly volume: number
  readonly quoteVolume: number
  readonly trades: number
  readonly takerVolume: number
  readonly takerQuoteVolume: number
}

/** How a bar is printed: times in ms or microseconds, and at least so many decimals. */
export type BarFormat = { readonly unit: 'ms' | 'us'; readonly decimals: number }

/** The archive's CSV row of a bar, without a line end. */
export function csvRowOf(bar: SyntheticBar, { unit, decimals }: BarFormat): string {
  const price = (cents: number): string => fixed(cents, 2, decimals)
  const amount = (units: number): string => fixed(units, 5, decimals)
  const quote = (units: number): string => fixed(units, 7, decimals)
  const open = unit === 'ms' ? bar.fromMs : `${bar.fromMs}000`
  const close = unit === 'ms' ? bar.toMs - 1 : `${bar.toMs - 1}999`
  const prices = `${price(bar.open)},${price(bar.high)},${price(bar.low)},${price(bar.close)}`
  const taker = `${amount(bar.takerVolume)},${quote(bar.takerQuoteVolume)}`
  return `${open},${prices},${amount(bar.volume)},${close},${quote(bar.quoteVolume)},${bar.trades},${taker},0`
}

/** A whole number of 10^-scale as a decimal with `scale` digits after the point, or `decimals` if that is more. */
function fixed(units: number, scale: number, decimals: number): string {
  const digits = String(units).padStart(scale + 1, '0')
  const point = digits.length - scale
  return `${digits.slice(0, point)}.${digits.slice(point)}${ZEROS.slice(0, Math.max(0, decimals - scale))}`
}

const ZEROS = '0'.repeat(18)

/** Bars folded into bars of `stepMs`, by the grid counted from 1970; a step without any bar gives none. */
export function* aggregateBars(bars: Iterable<SyntheticBar>, stepMs: number): Generator<SyntheticBar> {
  let sum: SyntheticBar | null = null
  for (const bar of bars) {
    const fromMs = bar.fromMs - (bar.fromMs % stepMs)
    if (sum?.fromMs === fromMs) {
      sum = merged(sum, bar)
      continue
    }
    if (sum) yield sum
    sum = { ...bar, fromMs, toMs: fromMs + stepMs }
  }
  if (sum) yield sum
}

const merged = (a: SyntheticBar, b: SyntheticBar): SyntheticBar => ({
  fromMs: a.fromMs,
  toMs: a.toMs,
  open: a.open,
  high: Math.max(a.high, b.high),
  low: Math.min(a.low, b.low),
  close: b.close,
  volume: a.volume + b.volume,
  quoteVolume: a.quoteVolume + b.quoteVolume,
  trades: a.trades + b.trades,
  takerVolume: a.takerVolume + b.takerVolume,
  takerQuoteVolume: a.takerQuoteVolume + b.takerQuoteVolume,
})
