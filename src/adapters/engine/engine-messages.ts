import { PipelineError, isErrorCode, type ErrorCode, type Facts } from '../../domain/errors.js'
import type { ConvertFigures, InspectFigures } from '../../domain/figures.js'
import type { ConvertRequest, InspectRequest } from '../../domain/ports/engine.js'

/** What the parent asks of a child; one at a time. */
export type EngineRequest =
  | { readonly kind: 'convert'; readonly request: ConvertRequest }
  | { readonly kind: 'inspect'; readonly request: InspectRequest }

export type EngineAnswer =
  | { readonly ok: true; readonly figures: ConvertFigures | InspectFigures }
  | { readonly ok: false; readonly error: { code: ErrorCode; message: string; facts: Facts; cause: string | null } }

/**
 * Limits of a child, handed over as its first argument. `crashOn` is a partition key that fault tests abort it with.
 */
export type ChildOptions = {
  readonly memoryBytes: number
  readonly tempBytes: number
  readonly threads: number
  readonly crashOn: string | null
}

export function answerOfError(error: PipelineError): EngineAnswer {
  const cause = error.cause instanceof Error ? error.cause.message.slice(0, 1_000) : null
  return { ok: false, error: { code: error.code, message: error.message, facts: error.facts, cause } }
}

export function errorOfAnswer({
  code,
  message,
  facts,
  cause,
}: Extract<EngineAnswer, { ok: false }>['error']): PipelineError {
  return new PipelineError(
    isErrorCode(code) ? code : 'UNEXPECTED',
    message,
    facts,
    cause === null ? undefined : new Error(cause),
  )
}
