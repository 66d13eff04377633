import { dateOfUs } from '../../domain/month.js'
import { seriesKeyOf } from '../../domain/partition.js'
import type { HotStats } from '../../domain/ports/hot-store.js'
import type { Kept, PrunedDay } from '../../lake/prune-hot.js'
import { formatBytes, formatCount, formatInstant, plural } from './format.js'
import { renderTable } from './table.js'

const instant = (us: bigint): string => formatInstant(dateOfUs(us))

/** A line for each dataset and interval, and one for the whole. */
export function renderHotStats({ groups, days, bytes }: HotStats): readonly string[] {
  if (groups.length === 0) return ['There are no hot rows.']
  const lines = groups.map((group) => [
    group.dataset, group.interval, formatCount(group.symbols), formatCount(group.rows), instant(group.firstUs),
    instant(group.lastUs),
  ])
  const left = (title: string) => ({ title, align: 'left' as const })
  const right = (title: string) => ({ title, align: 'right' as const })
  const columns = [left('dataset'), left('interval'), right('symbols'), right('rows'), left('first'), left('last')]
  return [...renderTable(columns, lines), `${plural(days.length, 'day')}, ${formatBytes(bytes)}`]
}

const WHY: Readonly<Record<Kept['why'], string>> = {
  late: 'no verified month yet',
  differs: 'the month has others',
  unreadable: 'the month cannot be read: candlelake verify says more',
  changed: 'changed meanwhile',
  busy: 'in use',
}

/** Rows of a series that stay: `2024-01-31: 3 rows stay, the month has others: no 00:03:00, close 7 for 7.5 at …`. */
export function keptInWords(day: string, { rows, why, differing, differences }: Kept): string {
  const stay = `${day}: ${plural(rows, 'row')} ${rows === 1 ? 'stays' : 'stay'}, ${WHY[why]}`
  const [first] = differences
  if (first === undefined) return stay
  const what = first.column === null ? 'it lacks' : `${first.column} is ${first.warm} and not ${first.hot} at`
  const more = differing > 1 ? `, and ${formatCount(differing - 1)} more` : ''
  return `${stay}: ${what} ${instant(first.openTimeUs)}${more}`
}

/** What a pruning came to. */
export function renderPruned(days: readonly PrunedDay[], dryRun: boolean): string {
  const rows = days.reduce((sum, day) => sum + day.rows, 0)
  const left = days.filter((day) => day.rows > 0).length
  const kept = new Set(days.flatMap((day) => day.kept.map(({ series }) => `${day.day} ${seriesKeyOf(series)}`))).size
  const stay = kept === 0 ? '' : ` ${plural(kept, 'series-day')} past retention ${kept === 1 ? 'stays' : 'stay'}.`
  const what = `${plural(rows, 'row')} of ${plural(left, 'day')}`
  return dryRun ? `Would let ${what} go.${stay} Nothing was changed.` : `Let ${what} go.${stay}`
}
