import type { ExportFormat } from '../exports/export-format.js'

/** What was written. */
export type ExportSummary = {
  readonly format: ExportFormat
  readonly file: string | null
  readonly series: number
  readonly partitions: number
  readonly rows: number
  readonly bytes: number
  readonly seconds: number
}
