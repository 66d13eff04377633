import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Runs `work` again while `waitMs` gives a time to wait for its failure and the count of failures so far (from 1); the
 * failure passes through where it gives null. An abort ends the waiting with the signal's reason.
 */
export async function mend<T>(o: {
  work: () => Promise<T>
  waitMs: (failure: unknown, count: number) => number | null
  signal: AbortSignal
}): Promise<T> {
  for (let count = 1; ; count++) {
    try {
      return await o.work()
    } catch (thrown) {
      const ms = o.signal.aborted ? null : o.waitMs(thrown, count)
      if (ms === null) throw thrown
      await sleep(ms, undefined, { signal: o.signal }).catch(() => o.signal.throwIfAborted())
    }
  }
}
