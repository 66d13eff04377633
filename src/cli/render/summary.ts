import type { State } from '../../domain/states.js'
import { pendingOf, type RunSummary, type SummaryRows } from '../run-summary.js'
import { formatBytes, formatCount, formatSeconds } from './format.js'
import { renderTable, type Column } from './table.js'

/** The states that have columns, in this order; those that are not `always` only where there are any. */
const COLUMNS = [
  ['verified', 'always'], ['provisional', 'sometimes'], ['late', 'always'], ['absent', 'sometimes'],
  ['quarantined', 'always'], ['failed', 'sometimes'], ['cancelled', 'sometimes'],
] as const satisfies readonly (readonly [State, 'always' | 'sometimes'])[]

/** The table by dataset and interval, then the sentence that says how it ended. */
export function renderSummary(summary: RunSummary): readonly string[] {
  const states = COLUMNS.filter(([state, when]) => when === 'always' || summary.states[state] > 0).map(
    ([state]) => state,
  )
  const titles = ['dataset', 'interval', ...states, 'rows', 'ZIP', 'Parquet']
  const columns = titles.map((title, i): Column => ({ title, align: i < 2 ? 'left' : 'right' }))
  const rows = groupsOf(summary.groups).map(({ dataset, interval, of }) => [
    dataset, interval, ...states.map((state) => formatCount(sum(of.filter((g) => g.state === state), 'partitions'))),
    formatCount(sum(of, 'rows')), formatBytes(sum(of, 'bytesIn')), formatBytes(sum(of, 'bytesOut')),
  ])
  return [...(rows.length === 0 ? [] : renderTable(columns, rows)), closing(summary)]
}

/** `Verified 354 of 356 in 27s, 2 quarantined. See: candlelake quarantine list` */
function closing({ states, total, seconds }: RunSummary): string {
  const rest = COLUMNS.filter(([state]) => state !== 'verified' && states[state] > 0)
    .map(([state]) => `, ${formatCount(states[state])} ${state}`)
  const pending = pendingOf(states)
  const open = pending > 0 ? `, ${formatCount(pending)} not done` : ''
  const done = `Verified ${formatCount(states.verified)} of ${formatCount(total)} in ${formatSeconds(seconds)}`
  const first = `${done}${rest.join('')}${open}.`
  return states.quarantined > 0 ? `${first} See: candlelake quarantine list` : first
}

type Group = { readonly dataset: string; readonly interval: string; readonly of: SummaryRows }

function groupsOf(rows: SummaryRows): readonly Group[] {
  const groups = new Map<string, Group & { of: SummaryRows[number][] }>()
  for (const row of rows) {
    const key = `${row.dataset}/${row.interval}`
    const group = groups.get(key) ?? { dataset: row.dataset, interval: row.interval, of: [] }
    group.of.push(row)
    groups.set(key, group)
  }
  return [...groups.values()]
}

const sum = (rows: SummaryRows, field: 'partitions' | 'rows' | 'bytesIn' | 'bytesOut'): number =>
  rows.reduce((total, row) => total + row[field], 0)
