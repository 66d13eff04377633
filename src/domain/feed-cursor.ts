import { clip } from './dataset.js'
import { PipelineError } from './errors.js'
import { YEAR_10000_US } from './month.js'

/**
 * Where somebody stands in the changes of a series: all of change `change` seen, or of it the rows up to `openTimeUs`,
 * which is null for all. Changes are numbered by series, from 1, in the order in which they were committed.
 */
export type FeedCursor = { readonly change: number; readonly openTimeUs: bigint | null }

/** `1042`, or in the middle of a change `1042.1706745600000000`. */
export const cursorText = ({ change, openTimeUs }: FeedCursor): string =>
  openTimeUs === null ? String(change) : `${change}.${openTimeUs}`

/** @throws {BAD_USAGE} */
export function parseCursor(text: string): FeedCursor {
  const [, change, open] = /^(\d{1,15})(?:\.(\d{1,18}))?$/.exec(text) ?? []
  const openTimeUs = open === undefined ? null : BigInt(open)
  if (change !== undefined && (openTimeUs ?? 0n) < YEAR_10000_US) return { change: Number(change), openTimeUs }
  throw new PipelineError('BAD_USAGE', `"${clip(text)}" is not a cursor`, {
    at: 'the cursor', do: 'give back one that a subscription gave, or none',
  })
}
