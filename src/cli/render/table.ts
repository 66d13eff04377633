import { escapeControls } from './escape.js'
import { cellsOf, padEnd, padStart } from './text.js'

export type Column = { readonly title: string; readonly align: 'left' | 'right' }

/** Rows under titles, two spaces apart, as wide as they need to be; control characters escaped. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): readonly string[] {
  const lines = [columns.map((column) => column.title), ...rows].map((line) => line.map(escapeControls))
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => cellsOf(line[i] ?? ''))))
  return lines.map((line) => columns.map(({ align }, i) => {
    const [text, width] = [line[i] ?? '', widths[i] ?? 0]
    return align === 'right' ? padStart(text, width) : padEnd(text, width)
  }).join('  ').trimEnd())
}
