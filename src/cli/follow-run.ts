import { asPipelineError, policyOf } from '../domain/errors.js'
import type { PlanCatalog, RunProgress } from '../domain/ports/plan-catalog.js'
import { pendingOf } from './run-summary.js'

const LEAST_MS = 500
const MOST_MS = 2_000

export type FollowOptions = {
  readonly plans: Pick<PlanCatalog, 'progress'>
  readonly runId: string
  /** Following ends when it fires. */
  readonly signal: AbortSignal
  readonly onProgress: (progress: RunProgress) => void
  /** The catalog does not answer; following goes on. Called once for each time it stops answering. */
  readonly onTrouble: (error: Error) => void
  /** Resolves after `ms`, or earlier when something happened that is worth a look. */
  readonly wait: (ms: number) => Promise<void>
  readonly clock: () => number
}

/**
 * Looks at a run until all its partitions are finished, and gives the last look; null when the signal fired before.
 * A look is not repeated sooner than twenty times what the last one took, so that following a large run costs little.
 * @throws {RUN_ABSENT}
 */
export async function followRun(o: FollowOptions): Promise<RunProgress | null> {
  let troubled = false
  while (!o.signal.aborted) {
    const startedMs = o.clock()
    const progress = await look(o, () => troubled)
    troubled = progress === null
    if (progress) {
      o.onProgress(progress)
      if (pendingOf(progress.states) === 0) return progress
    }
    const tookMs = o.clock() - startedMs
    await o.wait(Math.min(MOST_MS, Math.max(LEAST_MS, tookMs * 20)))
  }
  return null
}

/** Null when the catalog does not answer: the workers wait for it too. */
async function look(o: FollowOptions, troubled: () => boolean): Promise<RunProgress | null> {
  try {
    return await o.plans.progress(o.runId)
  } catch (thrown) {
    const error = asPipelineError(thrown)
    if (!policyOf(error.code).infrastructure) throw thrown
    if (!troubled()) o.onTrouble(error)
    return null
  }
}

/** A pause that can be cut short: by `wake`, or by the signal. */
export class Pause {
  #wake: (() => void) | null = null

  wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        this.#wake = null
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal.addEventListener('abort', done, { once: true })
      this.#wake = done
    })
  }

  wake(): void {
    this.#wake?.()
  }
}
