import type { NumericType } from '../../domain/candle.js'
import { isErrorCode, PipelineError, type Facts } from '../../domain/errors.js'
import type { WantedPart } from '../../domain/plan-ranges.js'
import type { FileView, Frame, QueryLimits, ResultColumn, TableColumn } from '../../domain/ports/query-engine.js'
import type { Scan } from '../../domain/query-plan.js'

/** What a question's process is told at its start. */
export type ChildOptions = { readonly limits: QueryLimits; readonly tempDir: string }

/** What it is asked, in this order: `plan`, perhaps `httpfs`, `run`, `next` until there is no frame, `fetched` after `httpfs`. */
export type Asked =
  | {
      readonly kind: 'plan'
      readonly sql: string
      readonly params: readonly unknown[]
      readonly numericType: NumericType
      readonly files: readonly TableColumn[] | null
    }
  | { readonly kind: 'httpfs'; readonly extensionDir: string }
  | { readonly kind: 'fetched' }
  | { readonly kind: 'run'; readonly views: readonly FileView[] }
  | { readonly kind: 'next' }

export type Told =
  | { readonly kind: 'planned'; readonly scans: readonly Scan[]; readonly wanted: WantedPart | null }
  | { readonly kind: 'loaded'; readonly problem: string | null }
  | { readonly kind: 'sum'; readonly requests: number; readonly bytesRead: number }
  | { readonly kind: 'columns'; readonly columns: readonly ResultColumn[] }
  | { readonly kind: 'frame'; readonly frame: Frame | null }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string; readonly facts: Facts }

export const toldError = ({ code, message, facts }: PipelineError): Told => ({ kind: 'failed', code, message, facts })

export const errorOf = ({ code, message, facts }: Extract<Told, { kind: 'failed' }>): PipelineError =>
  new PipelineError(isErrorCode(code) ? code : 'UNEXPECTED', message, facts)
