export const EXPORT_FORMATS = ['csv', 'csv.gz', 'json', 'jsonl', 'parquet', 'arrow'] as const
/** `json` is one array, `jsonl` an object a line; `arrow` an IPC stream. */
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

/** The formats that are text, made without DuckDB. */
export type TextFormat = Exclude<ExportFormat, 'parquet' | 'arrow'>

/** The format that a file's name ends in; null for none. */
export const formatOfPath = (path: string): ExportFormat | null =>
  EXPORT_FORMATS.find((format) => path.toLowerCase().endsWith(`.${format}`)) ?? null
