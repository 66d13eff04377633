import { randomOf } from './random.js'
import { csvRowOf, type BarFormat, type SyntheticBar } from './synthetic-bar.js'

/** A seeded random walk over `[fromMs, toMs)`. */
export type SyntheticOptions = Partial<BarFormat> & {
  readonly seed: number
  readonly fromMs: number
  readonly toMs: number
  readonly stepMs: number
  /** First price. Default: 96,000. */
  readonly price?: number
  /** Mean volume of a minute, in the base asset. Default: 15. */
  readonly volumePerMinute?: number
}

/** CSV rows of a walk; every iteration begins anew and gives the same. `bars` gives the same candles as numbers. */
export type CandleSource = Iterable<string> & { readonly bars: () => Iterable<SyntheticBar> }

const MINUTE_MS = 60_000
/** Of the logarithm of the price, a minute. */
const VOLATILITY = 0.0006
/** Sums of bars must stay whole numbers: twice the greatest quote volume is below 2^53. */
const MOST_QUOTE_UNITS = 4e15

/** Candles that no exchange traded but that look it: `unit` is `ms` and `decimals` 8 where not given. */
export function syntheticCandles(o: SyntheticOptions): CandleSource {
  const format = { unit: o.unit ?? 'ms', decimals: o.decimals ?? 8 }
  return {
    bars: () => walk(o),
    *[Symbol.iterator]() {
      for (const bar of walk(o)) yield csvRowOf(bar, format)
    },
  }
}

/** A random walk that is drawn back to its first price, with a day's rhythm in its volume. */
function* walk(o: SyntheticOptions): Generator<SyntheticBar> {
  const random = randomOf(o.seed)
  const first = Math.round((o.price ?? 96_000) * 100)
  const minutes = o.stepMs / MINUTE_MS
  const swing = VOLATILITY * Math.sqrt(minutes)
  const pull = 1 - Math.exp(-minutes / 20_000)
  const meanUnits = (o.volumePerMinute ?? 15) * minutes * 1e5
  let open = first
  for (let fromMs = o.fromMs; fromMs < o.toMs; fromMs += o.stepMs) {
    const drift = pull * Math.log(first / open)
    const close = Math.max(1, Math.round(open * Math.exp(drift + swing * spread(random))))
    const reach = open * swing * 0.7
    const high = Math.max(open, close) + Math.round(reach * random() ** 2)
    const low = Math.max(1, Math.min(open, close) - Math.round(reach * random() ** 2))
    const busy = 1 + 0.5 * Math.sin(((fromMs % 86_400_000) / 86_400_000) * 2 * Math.PI)
    const wanted = Math.ceil(meanUnits * busy * Math.exp(0.8 * spread(random)) * 0.75)
    const volume = Math.max(1, Math.min(wanted, Math.floor(MOST_QUOTE_UNITS / high)))
    yield { fromMs, toMs: fromMs + o.stepMs, open, high, low, close, volume, ...traded(random, { low, high, volume }) }
    open = close
  }
}

/** What was paid for a volume, in how many trades, and the takers' part of it: never more than all of it. */
function traded(random: () => number, { low, high, volume }: { low: number; high: number; volume: number }) {
  const quoteVolume = low * volume + Math.floor((high - low) * volume * random())
  const takerVolume = Math.floor(volume * (0.2 + 0.6 * random()))
  const takerQuoteVolume = Math.min(quoteVolume, Math.floor((quoteVolume / volume) * takerVolume))
  return { quoteVolume, trades: 1 + Math.floor((volume / 1e5) * (40 + 40 * random())), takerVolume, takerQuoteVolume }
}

/** About normal with mean 0 and deviation 1, within ±3.5: four uniform numbers are enough for that. */
const spread = (random: () => number): number => (random() + random() + random() + random() - 2) * 1.732
