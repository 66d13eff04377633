import type { PipelineError } from '../domain/errors.js'
import type { Log } from '../domain/ports/observe.js'
import type { Stage } from '../jobs/stages.js'
import { queueError } from '../queues/queue-error.js'

/** An absent server is reported on every try of every worker. */
const QUIET_MS = 10_000

/** A listener for a worker's errors: all of them to `onError`, the log gets the same one at most every 10 s. */
export function errorReporter(o: {
  readonly at: string
  readonly stage: Stage
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
