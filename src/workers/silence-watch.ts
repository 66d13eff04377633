import type { Log } from '../domain/ports/observe.js'

/** An idle worker hears from the queue every 10 s, a busy one whenever it renews a lock. */
const SILENT_MS = 60_000

/**
 * To be called now and then: logs when the queue has been silent for a minute, once, and when it is heard again. A worker
 * that is stuck or cut off still counts as running; this is what gives it away.
 */
export function silenceWatch(silentMs: () => number, log: Pick<Log, 'error' | 'info'>): () => void {
  let isSilent = false
  return () => {
    const ms = silentMs()
    if (isSilent === ms > SILENT_MS) return
    isSilent = !isSilent
    if (isSilent) log.error('worker.silent', { seconds: Math.round(ms / 1_000) })
    else log.info('worker.heard_again')
  }
}
