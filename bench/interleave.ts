import { median } from './median.js'

/** What one run of a side came to, seconds. */
export type Run = (round: number) => Promise<number>

/** Seconds of every run, by side and in the order of the rounds. */
export type Timings<Side extends string> = Readonly<Record<Side, readonly number[]>>

/**
 * Runs the sides in turn, A B A B …, so that what else the machine does falls on all of them. `say` hears every round.
 */
export async function interleaved<Side extends string>(
  rounds: number, sides: Readonly<Record<Side, Run>>, say: (line: string) => void,
): Promise<Timings<Side>> {
  const names = Object.keys(sides) as Side[]
  const seconds = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Side, number[]>
  for (let round = 0; round < rounds; round++) {
    for (const name of names) seconds[name].push(await sides[name](round))
    say(`round ${round + 1}/${rounds}: ${names.map((name) => `${name} ${(seconds[name].at(-1) ?? 0).toFixed(3)} s`).join(', ')}`)
  }
  return seconds
}

/** The median of `a` over the median of `b`: above 1, `a` took longer. */
export const ratioOf = (a: readonly number[], b: readonly number[]): number => median(a) / median(b)

/** Seconds that `work` took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1_000
}
