import { partitionKeyOf } from '../../domain/partition.js'
import type { QuarantineEntry } from '../../domain/ports/keeper-catalog.js'
import { formatInstant } from './format.js'
import { escapeControls } from './escape.js'
import { cellsOf, clipEnd, clipMiddle, padEnd } from './text.js'

const SERVED = ' (an older revision is still served)'

/** One line a partition: since when, which, why. Cut at `width` on a terminal; a pipe (null) gets all. */
export function renderQuarantine(entries: readonly QuarantineEntry[], width: number | null): readonly string[] {
  const rows = entries.map((entry) => ({
    since: formatInstant(entry.since), name: escapeControls(partitionKeyOf(entry.partition)),
    why: escapeControls(`${entry.code}: ${entry.message}${entry.published ? SERVED : ''}`),
  }))
  const longest = Math.max(0, ...rows.map(({ name }) => cellsOf(name)))
  const wide = width === null ? longest : Math.min(longest, Math.max(16, Math.floor(width / 2) - 10))
  return rows.map(({ since, name, why }) => {
    const line = `${since}  ${padEnd(clipMiddle(name, wide), wide)}  ${why}`
    return width === null ? line : clipEnd(line, width)
  })
}
