import type { PlanFigures } from '../workers/plan.js'

/** What a plan would take, guessed; null where nothing is known. Bytes, seconds. */
export type Estimate = {
  readonly downloadBytes: number | null
  readonly lakeBytes: number | null
  readonly seconds: number | null
}

/** What was seen of earlier partitions in this lake; zeros before the first. */
export type Experience = { readonly bytesIn: number; readonly bytesOut: number }

/** Parquet bytes for each ZIP byte where the lake has none yet to learn from. */
const LAKE_PER_ZIP = 0.96
const SECONDS_PER_PARTITION = 0.25
const ZIP_BYTES_PER_SECOND = 8 * 1024 ** 2

/**
 * Estimates from the listing's sizes and from the lake as it is. Files that no listing named count for nothing: where
 * the rest was listed they mostly do not exist. `slots` is how many partitions are converted at once.
 */
export function estimateOf(figures: PlanFigures, experience: Experience, slots: number): Estimate {
  const { downloadBytes, todo, joined, unlisted } = figures
  if (todo > 0 && unlisted === todo) return { downloadBytes: null, lakeBytes: null, seconds: null }
  const ratio = experience.bytesIn > 0 ? experience.bytesOut / experience.bytesIn : LAKE_PER_ZIP
  return {
    downloadBytes,
    lakeBytes: Math.round(downloadBytes * ratio),
    seconds: ((todo + joined) * SECONDS_PER_PARTITION + downloadBytes / ZIP_BYTES_PER_SECOND) / slots,
  }
}
