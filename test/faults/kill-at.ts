import type { Failpoint } from '../../src/domain/failpoints.js'
import type { Rig } from './rig.js'

/** A kill that happened: the witness is the line that the worker wrote there, and the signal that it died of. */
export type Kill = { readonly point: Failpoint; readonly partition: string }

/** A worker that dies at a point, with work brought to it until it is there; null when none died there. */
export async function killAt(
  rig: Rig, point: Failpoint, o: { readonly reachMs: number; readonly feed: (signal: AbortSignal) => Promise<void> },
): Promise<Kill | null> {
  const worker = rig.worker({ points: `${point}:kill` })
  const gone = new AbortController()
  const fed = o.feed(gone.signal)
  const witness = await worker.line(({ event }) => event === 'failpoint', o.reachMs)
  gone.abort()
  await fed
  if (!witness) {
    await worker.kill()
    return null
  }
  const { signal } = await worker.ended
  return signal === 'SIGKILL' && witness['point'] === point ? { point, partition: String(witness['partition']) } : null
}
