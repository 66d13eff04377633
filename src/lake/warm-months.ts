import { setTimeout as sleep } from 'node:timers/promises'
import { PipelineError, type ErrorCode } from '../domain/errors.js'
import type { WarmMonth } from '../domain/ports/hot-store.js'
import { Lake } from './lake.js'

/** Of what is asked again when an object was replaced between the look into the catalog and the reading of it. */
const TRIES = 7
const FIRST_WAIT_MS = 50
const REPLACED: ReadonlySet<ErrorCode> = new Set(['PRECONDITION_FAILED', 'OBJECT_ABSENT'])

/** The lake as if it held these objects only. */
export const onlyMonths = <N>(lake: Lake<N>, months: readonly WarmMonth[]): Lake<N> =>
  new Lake<N>({ ...lake.ports, index: { objects: () => Promise.resolve(months.map(({ object }) => object)) } }, {
    numericType: null,
  })

/** Asks, and asks anew where an object was replaced in between; what `ask` gives comes of one try. */
export async function askedAgain<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask()
    } catch (thrown) {
      if (!(thrown instanceof PipelineError) || !REPLACED.has(thrown.code) || tries === TRIES) throw thrown
      await sleep(FIRST_WAIT_MS * 2 ** (tries - 1))
    }
  }
}
