import type { PipelineError } from '../domain/errors.js'
import type { Log } from '../domain/ports/observe.js'
import type { JobStage } from '../jobs/stages.js'
import { queueError } from '../queues/queue-error.js'

/** An absent server is reported on every try of every worker, a job of a newer program on every start. */
const QUIET_MS = 10_000

/** A listener for a worker's errors: all of them to `onError`, the log gets the same one at most every 10 s. */
export function errorReporter(o: {
  readonly at: string
  readonly stage: JobStage
  readonly log: Log
  readonly onError?: (error: PipelineError) => void
  readonly now?: () => number
}): (thrown: Error) => void {
  const said = new Map<string, number>()
  const now = o.now ?? Date.now
  return (thrown) => {
    // Told by the event `lockRenewalFailed` as well, which names the job.
    if (thrown.message.startsWith('could not renew lock')) return
    const error = queueError(thrown, o.at)
    o.onError?.(error)
    const key = `${error.code} ${String(error.facts['reason'] ?? error.message)}`
    const last = said.get(key)
    if (last !== undefined && now() - last < QUIET_MS) return
    said.set(key, now())
    o.log.warn('queue.error', { stage: o.stage, code: error.code, message: error.message })
  }
}

/** A listener for jobs of a newer program: each that waits is met every few seconds, and the log gets one every 10 s. */
export function foreignReporter(
  log: Log, now: () => number = Date.now,
): (error: PipelineError, jobId: string) => void {
  let last = -Infinity
  return ({ code, message }, jobId) => {
    if (now() - last < QUIET_MS) return
    last = now()
    log.warn('job.newer', { jobId, code, message })
  }
}
