import { setTimeout as sleep } from 'node:timers/promises'

/** Whether work ended, well or not, within `ms` milliseconds; what it does later is not heard. */
export async function settles(work: Promise<unknown>, ms: number): Promise<boolean> {
  const timer = new AbortController()
  const done = work.then(() => true, () => true)
  try {
    return await Promise.race([done, sleep(ms, false, { signal: timer.signal })])
  } finally {
    timer.abort()
  }
}
