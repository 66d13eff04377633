import { PipelineError, policyOf } from '../../domain/errors.js'

/**
 * What a reader of the archive is told. A file that the pipeline would quarantine is `CORRUPT`, whatever of it is
 * broken: `facts.finding` is the finding, or the code of the error. A file that was cut off or replaced at every try is
 * the same as an archive that cannot be reached.
 */
export function readerFailure(thrown: unknown): unknown {
  if (!(thrown instanceof PipelineError)) return thrown
  const { code, message, facts } = thrown
  if (code === 'SOURCE_TRUNCATED' || code === 'SOURCE_CHANGED') {
    return new PipelineError('ARCHIVE_UNREACHABLE', message, { ...facts, reason: code }, thrown)
  }
  if (code === 'CORRUPT' || policyOf(code).end !== 'quarantined') return thrown
  return new PipelineError('CORRUPT', message, { finding: code, ...facts }, thrown)
}
