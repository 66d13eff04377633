import type { ExportSummary } from '../export-summary.js'
import { toLine, type Output } from '../output.js'
import { formatBytes, formatInstant, formatRows, formatSeconds, plural } from './format.js'
import type { StageView } from './run-view.js'

/** `2026-11-22T20:31:14Z export 24/36 2.1 M rows eta 4s` */
export function renderExportPlain(stages: readonly StageView[], now: Date): string {
  const { done, total, amount, etaSeconds } = stages.at(-1)!
  const eta = etaSeconds === null ? '-' : `${Math.round(etaSeconds)}s`
  return `${formatInstant(now)} export ${done}/${total} ${formatRows(amount ?? 0)} eta ${eta}`
}

/** What was written: on stdout, or on stderr where stdout has the data. */
export function sayExport(out: Output, summary: ExportSummary): void {
  const line = out.json ? toLine({ v: 1, type: 'summary', ...summary }) : sentence(summary)
  if (summary.file === null) out.note(line)
  else out.result(line)
}

function sentence({ file, series, partitions, rows, bytes, seconds }: ExportSummary): string {
  const what = `${plural(rows, 'row')} of ${plural(partitions, 'partition')}`
  const to = file === null ? '' : ` to ${file}`
  const cost = `${formatSeconds(seconds)}: ${formatBytes(bytes)}`
  return `Exported ${what} of ${plural(series, 'series', 'series')}${to} in ${cost}`
}
