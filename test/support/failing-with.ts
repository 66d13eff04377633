import { AssertionError } from 'chai'
import { PipelineError, type ErrorCode } from '../../src/domain/errors.js'

/** The error that `work` ends with, which must be one of ours with this code. */
export async function failingWith(
  code: ErrorCode,
  work: Promise<unknown> | (() => Promise<unknown>),
): Promise<PipelineError> {
  let outcome: unknown
  try {
    outcome = await (typeof work === 'function' ? work() : work)
  } catch (thrown) {
    if (thrown instanceof PipelineError && thrown.code === code) return thrown
    throw new AssertionError(`expected ${code}, but it failed with ${String(thrown)}`, undefined, failingWith)
  }
  throw new AssertionError(`expected ${code}, but it gave ${JSON.stringify(outcome)}`, undefined, failingWith)
}
