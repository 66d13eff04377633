import type { ResultColumn } from '../../domain/ports/query-engine.js'
import { toLine } from '../output.js'
import { escapeControls } from './escape.js'
import { renderTable } from './table.js'

export const RESULT_FORMATS = ['table', 'csv', 'line', 'json', 'jsonl', 'markdown', 'arrow'] as const
export type ResultFormat = (typeof RESULT_FORMATS)[number]

type Row = Readonly<Record<string, unknown>>

/** A value as it is printed: instants ISO 8601 in UTC, numbers and text as they are, a missing one empty. */
export function shownValue(value: unknown, kind: ResultColumn['kind']): string {
  if (value === null || value === undefined) return ''
  if (kind === 'instant') return isoOf(value as bigint)
  return typeof value === 'number' || typeof value === 'bigint'
    ? String(value)
    : typeof value === 'string'
      ? value
      : toLine(value)
}

/** `2024-01-31T23:59:59Z`; microseconds where there are any. Years that ISO does not know stay a number. */
export function isoOf(us: bigint): string {
  const micros = ((us % MILLION) + MILLION) % MILLION
  const date = new Date(Number((us - micros) / 1_000n))
  if (Number.isNaN(date.getTime())) return String(us)
  const fraction = micros === 0n ? '' : `.${String(micros).padStart(6, '0').replace(/0+$/, '')}`
  return `${date.toISOString().slice(0, -5)}${fraction}Z`
}

const MILLION = 1_000_000n

/** The same for JSON: numbers stay numbers, what is missing is null, integers beyond 2^53 are text. */
function jsonRow(columns: readonly ResultColumn[], row: Row): Row {
  const entries = columns.map(({ name, kind }) => {
    const value = row[name]
    if (kind === 'instant' && typeof value === 'bigint') return [name, isoOf(value)]
    return [name, typeof value === 'number' && !Number.isFinite(value) ? String(value) : value]
  })
  return Object.fromEntries(entries) as Row
}

export const jsonRows = (columns: readonly ResultColumn[], rows: readonly Row[]): readonly Row[] =>
  rows.map((row) => jsonRow(columns, row))

/** Lines of some rows; the first call of a format has its head. `table` needs all rows that it is to show. */
export function resultLines(
  format: Exclude<ResultFormat, 'arrow' | 'json'>,
  columns: readonly ResultColumn[],
  rows: readonly Row[],
  first: boolean,
): readonly string[] {
  const cells = (row: Row): string[] => columns.map(({ name, kind }) => shownValue(row[name], kind))
  switch (format) {
    case 'table':
      return renderTable(
        columns.map(({ name, kind }) => ({ title: name, align: alignOf(kind) })),
        rows.map(cells),
      )
    case 'csv':
      return [...(first ? [csvLine(columns.map(({ name }) => name))] : []), ...rows.map((row) => csvLine(cells(row)))]
    case 'jsonl':
      return rows.map((row) => toLine(jsonRow(columns, row)))
    case 'line':
      return rows.flatMap((row) => [
        ...cells(row).map((cell, i) => `${columns[i]?.name ?? ''} = ${escapeControls(cell)}`),
        '',
      ])
    case 'markdown':
      return [...(first ? markdownHead(columns) : []), ...rows.map((row) => markdownLine(cells(row)))]
  }
}

const alignOf = (kind: ResultColumn['kind']): 'left' | 'right' =>
  kind === 'text' || kind === 'json' || kind === 'boolean' || kind === 'instant' ? 'left' : 'right'

const csvLine = (cells: readonly string[]): string =>
  cells.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')

const markdownLine = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => escapeControls(cell).replaceAll('|', '\\|')).join(' | ')} |`

const markdownHead = (columns: readonly ResultColumn[]): readonly string[] => [
  markdownLine(columns.map(({ name }) => name)),
  `|${columns.map(({ kind }) => (alignOf(kind) === 'right' ? '--:|' : '---|')).join('')}`,
]
