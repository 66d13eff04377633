import {
  formatBytes,
  formatBytesOf,
  formatByteRate,
  formatClock,
  formatCount,
  formatInstant,
  formatRowRate,
  formatRows,
} from './format.js'
import type { Paint } from './paint.js'
import type { RunView, StageView } from './run-view.js'
import { cellsOf, clipEnd, padEnd, padStart } from './text.js'

const BAR_CELLS = 10
const BAR_LEAST = 3
/** Least widths, so that columns do not jump while figures grow. */
const LEAST = { amount: 11, rate: 10 }

/** The bars of a run, one line a stage, and the run's own line: none wider than `width` cells. */
export function renderRun(view: RunView, width: number, paint: Paint): readonly string[] {
  return [...renderStages(view.stages, width, paint), clipEnd(runLine(view), width)]
}

/** A bar for each stage, none wider than `width` cells. */
export function renderStages(stages: readonly StageView[], width: number, paint: Paint): readonly string[] {
  const rows = stages.map(cellsOfStage)
  const columns = fitting(rows, width)
  return rows.map((row) => lineOf(row, columns, paint))
}

/** `2026-11-22T20:31:14Z 7f3k2 verified 236/356 quarantined 0 24MiB/s eta 9s` */
export function renderPlain(view: RunView, now: Date): string {
  const download = view.stages.find(({ stage }) => stage === 'download')
  const rate = download?.perSecond ? ` ${formatByteRate(download.perSecond).replace(' ', '')}` : ''
  const eta = view.etaSeconds === null ? '-' : `${Math.round(view.etaSeconds)}s`
  const others = [...countOf('failed', view.failed), ...countOf('late', view.late)].join('')
  const waits = view.waitsFor === null ? '' : ` waits ${view.waitsFor}`
  return `${formatInstant(now)} ${view.runId} verified ${view.verified}/${view.total} quarantined ${view.quarantined}` +
    `${others}${rate} eta ${eta}${waits}`
}

const countOf = (what: string, n: number): readonly string[] => (n > 0 ? [` ${what} ${n}`] : [])

function runLine(view: RunView): string {
  const parts = [
    `run ${view.runId}`, formatClock(view.elapsedSeconds), `ETA ${formatClock(view.etaSeconds)}`,
    `${formatCount(view.flagged)} flagged`, `${formatCount(view.quarantined)} quarantined`,
    ...(view.failed > 0 ? [`${formatCount(view.failed)} failed`] : []),
    ...(view.late > 0 ? [`${formatCount(view.late)} late`] : []),
    ...(view.waitsFor === null ? [] : [`waits: ${view.waitsFor}`]),
  ]
  return parts.join('  ')
}

type Cells = {
  readonly view: StageView
  readonly count: string
  readonly amount: string
  readonly rate: string
  readonly eta: string
}

function cellsOfStage(view: StageView): Cells {
  const { unit, amount, amountTotal, perSecond } = view
  const bytes = amount === null ? '' : amountTotal === null ? formatBytes(amount) : formatBytesOf(amount, amountTotal)
  const rate = perSecond === null ? '' : unit === 'bytes' ? formatByteRate(perSecond) : formatRowRate(perSecond)
  return {
    view,
    count: `${view.done}/${view.total}`,
    amount: unit === 'bytes' ? bytes : amount === null ? '' : formatRows(amount),
    rate,
    eta: `ETA ${formatClock(view.etaSeconds)}`,
  }
}

type Part = 'count' | 'amount' | 'rate' | 'eta'
type Columns = {
  readonly bar: number
  readonly parts: readonly { readonly part: Part; readonly cells: number }[]
  readonly width: number
}

/** What fits: first the bar shrinks, then rate, amount, bar and ETA go, in this order. */
function fitting(rows: readonly Cells[], width: number): Columns {
  const widthOf = (part: Part): number => {
    const least = part === 'amount' || part === 'rate' ? LEAST[part] : 0
    return Math.max(least, ...rows.map((row) => cellsOf(row[part])))
  }
  const all = (['count', 'amount', 'rate', 'eta'] as const).map((part) => ({ part, cells: widthOf(part) }))
  for (const dropped of [[], ['rate'], ['rate', 'amount'], ['rate', 'amount', 'eta']]) {
    const parts = all.filter(({ part }) => !dropped.includes(part))
    const bar = width - 'download'.length - 2 - parts.reduce((sum, { cells }) => sum + cells + 2, 0)
    if (bar >= BAR_LEAST) return { bar: Math.min(BAR_CELLS, bar), parts, width }
    if (dropped.length === 3) return { bar: 0, parts, width }
  }
  return { bar: 0, parts: all, width }
}

function lineOf(row: Cells, { bar, parts, width }: Columns, paint: Paint): string {
  const name = padEnd(row.view.stage, 'download'.length)
  const cells = parts.map(({ part, cells: wide }) => padStart(row[part], wide))
  if (bar === 0) return clipEnd([name, ...cells].join('  '), width)
  const colour = row.view.done >= row.view.total ? paint.green : paint.cyan
  return [name, colour(renderBar(row.view.done, row.view.total, bar)), ...cells].join('  ')
}

/** `███████░░░`: full only when all is done. */
export function renderBar(done: number, total: number, cells: number): string {
  const filled = total === 0 ? cells : Math.floor((Math.min(done, total) / total) * cells)
  return '█'.repeat(filled) + '░'.repeat(cells - filled)
}
