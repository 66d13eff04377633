import type { Finding } from './findings.js'

/** A run of grid points without a bar, half-open `[fromUs, toUs)`, and how many bars it lacks. */
export type Hole = { readonly fromUs: bigint; readonly toUs: bigint; readonly missing: number }

/** What convert measured while it wrote a partition's Parquet file. */
export type ConvertFigures = {
  readonly rows: number
  /** Data rows in the sources, headers left out, before exact duplicates were dropped. */
  readonly sourceRows: number
  readonly duplicatesDropped: number
  /** Of the Parquet file. */
  readonly bytes: number
  readonly sha256Hex: string
  /** Order-independent hash over every value of every row; equal for equal rows whatever the encoding. */
  readonly logicalHash: string
  readonly firstOpenUs: bigint
  readonly lastOpenUs: bigint
  /** Values whose nearest double, written with eight decimals, is not the source's number; 0 in a decimal lake. */
  readonly inexactValues: number
  readonly findings: readonly Finding[]
}

/** What verify measured on the object itself, with DuckDB and a second reader of the footer. */
export type InspectFigures = {
  readonly rows: number
  readonly bytes: number
  readonly sha256Hex: string
  readonly logicalHash: string
  readonly firstOpenUs: bigint
  readonly lastOpenUs: bigint
  readonly lastCloseUs: bigint
  /** open_time strictly increases. */
  readonly ordered: boolean
  /** Runs of slots without a bar between the first and the last bar; at most `HOLES_MAX`, `holesTotal` counts all. */
  readonly holes: readonly Hole[]
  readonly holesTotal: number
  /** Slots in all of these holes. */
  readonly missingRows: number
  readonly offGridRows: number
  readonly overlappingRows: number
  readonly closeBeforeOpenRows: number
  readonly ohlcViolations: number
  readonly zeroVolumeRows: number
  /** From the footer, by parquetjs-lite: an implementation other than the writer. */
  readonly footer: FooterFigures
}

export type FooterFigures = {
  readonly rows: number
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  readonly metadata: Readonly<Record<string, string>>
  /** From the column statistics of open_time over all row groups. */
  readonly minOpenUs: bigint
  readonly maxOpenUs: bigint
}

/** More holes than this in one partition are counted, not listed. */
export const HOLES_MAX = 1_000
