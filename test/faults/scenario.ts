import type { BackendName } from './rig.js'

/** What a scenario came to. `faults` are those whose witness was seen; each sentence of `violations` is a failure. */
export type Outcome = { readonly faults: number; readonly violations: readonly string[] }

/** How a scenario is run. The same seed gives the same points in the same order. */
export type RunOptions = {
  readonly backend: BackendName
  readonly seed: number
  readonly say: (line: string) => void
  /** How often the fault is provoked, where a scenario counts; few unless said. */
  readonly count?: number
  /** Folders on small file systems, mounted by the caller. */
  readonly disks?: { readonly lake: string; readonly staging: string }
}

export type Scenario = {
  readonly name: string
  /** A sentence of what must hold. */
  readonly title: string
  readonly backends: readonly BackendName[]
  readonly run: (o: RunOptions) => Promise<Outcome>
}

/** Numbers from 0 to 1 that a seed determines. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const rest = [...items]
  return Array.from(items, () => rest.splice(Math.floor(random() * rest.length), 1)).flat()
}
