import { HOT_NUMBERS } from './hot-candle.js'

/** A hot row that the month does not hold as it is: `column` is null where it has no row of this time at all. */
export type Difference = {
  readonly openTimeUs: bigint
  readonly column: string | null
  readonly hot: string | null
  readonly warm: string | null
}

/** The columns of a row that are compared: all but its time. */
export const COMPARED = ['closeTimeUs', 'trades', ...HOT_NUMBERS] as const

type Row = { readonly openTimeUs: bigint } & { readonly [K in (typeof COMPARED)[number]]: unknown }

/**
 * Every value of hot rows that warm rows of the same times do not have; both in time order and in the lake's type.
 * Rows that only the warm side has are no difference: the archive may know more.
 */
export function differencesOf(hot: readonly Row[], warm: readonly Row[]): readonly Difference[] {
  const found: Difference[] = []
  let w = 0
  for (const row of hot) {
    while (w < warm.length && warm[w]!.openTimeUs < row.openTimeUs) w++
    const { openTimeUs } = row
    const other = warm[w]
    if (other?.openTimeUs !== openTimeUs) {
      found.push({ openTimeUs, column: null, hot: null, warm: null })
      continue
    }
    for (const column of COMPARED) {
      if (row[column] === other[column]) continue
      found.push({ openTimeUs, column, hot: String(row[column]), warm: String(other[column]) })
    }
  }
  return found
}
