import type { Target } from './figures.js'

/** What a benchmark is given. */
export type BenchContext = {
  /** An empty folder, removed when the bench ends. */
  readonly dir: string
  /** Fewer data and rounds: shows that the bench works, not what the figures are. */
  readonly small: boolean
  /** Rounds that were asked for; null is the bench's own number. */
  readonly rounds: number | null
  /** The parts to run, for benches that have parts; empty is all. */
  readonly parts: readonly string[]
  /** Where nodejs-polars is loaded from: a folder with `node_modules`; null is this project. */
  readonly polars: string | null
  /** The Python that `interop` runs. */
  readonly python: string
  readonly say: (line: string) => void
  readonly figure: (name: string, value: number, unit: string, target?: Target) => void
  /** Runs at the end, also after a failure or Ctrl-C; the latest comes first. */
  readonly atEnd: (work: () => Promise<unknown>) => void
}

export type Bench = (b: BenchContext) => Promise<void>
