import { PipelineError, type ErrorCode } from '../../domain/errors.js'

const TRIES = 4
/** Above this a person at a terminal is better told than kept waiting, milliseconds. */
const LONGEST_WAIT_MS = 30_000
const PASSING: readonly ErrorCode[] = ['ARCHIVE_UNREACHABLE', 'ARCHIVE_BUSY']

/** How long to wait before a request is tried again, for `mend`, where no queue does the waiting. */
export const patience = (passing = PASSING) => (failure: unknown, count: number): number | null => {
  if (!(failure instanceof PipelineError) || count >= TRIES || !passing.includes(failure.code)) return null
  // With a head, an answer came and was not a listing: another try would get the same.
  if (failure.code === 'ARCHIVE_UNREACHABLE' && failure.facts['head'] !== undefined) return null
  const own = 250 * 2 ** (count - 1) * (1 + Math.random())
  const wait = Math.max(own, failure.retryAfterMs ?? 0)
  return wait <= LONGEST_WAIT_MS ? wait : null
}
