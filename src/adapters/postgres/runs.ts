import { randomInt } from 'node:crypto'
import { sql } from 'kysely'
import { PipelineError } from '../../domain/errors.js'
import type { Run, RunKind, RunState } from '../../domain/ports/plan-catalog.js'

/** Digits and lower case letters without i, l, o and u, which are misread or misheard. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/** Five random characters, e.g. `7f3k2`. */
export const newRunId = (): string =>
  Array.from({ length: 5 }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join('')

export type RunRow = {
  readonly id: string
  readonly kind: RunKind
  readonly state: RunState
  readonly request: Readonly<Record<string, unknown>>
  readonly created_at: Date
  readonly finished_at: Date | null
}

export const runColumns = sql`runs.id, runs.kind, runs.state, runs.request, runs.created_at, runs.finished_at`

export const runOf = (row: RunRow): Run => ({
  id: row.id,
  kind: row.kind,
  state: row.state,
  request: row.request,
  createdAt: row.created_at,
  finishedAt: row.finished_at,
})

export const runAbsent = (runId: string): PipelineError =>
  new PipelineError('RUN_ABSENT', `there is no run ${runId.slice(0, 20)}`, { do: 'see the runs: candlelake status' })

/**
 * Cancelling takes this lock alone, planners share it: no partition is cancelled while a batch that wants it is being
 * linked, and none is linked to a run that is being cancelled. One key for each schema.
 */
export const lockPlanning = (mode: 'shared' | 'exclusive') => {
  const name = sql.raw(mode === 'shared' ? 'pg_advisory_xact_lock_shared' : 'pg_advisory_xact_lock')
  return sql`select ${name}(1129074753, hashtext(current_schema()))`
}
