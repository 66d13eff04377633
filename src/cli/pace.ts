/** How fast a count grows, over a window of recent samples: the past says little once workers join or leave. */
export class Pace {
  readonly #windowMs: number
  #samples: { readonly atMs: number; readonly value: number }[] = []

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  /** Takes the count as it is at `atMs`. Samples closer than a twentieth of the window replace each other. */
  sample(value: number, atMs: number): void {
    const before = this.#samples.at(-2)
    if (before && atMs - before.atMs < this.#windowMs / 20) this.#samples.pop()
    this.#samples.push({ value, atMs })
    while (this.#samples.length > 2 && (this.#samples[1]?.atMs ?? atMs) <= atMs - this.#windowMs) this.#samples.shift()
  }

  /** Growth a second over the window; null before two samples lie half a second apart. */
  perSecond(): number | null {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)]
    if (!first || !last || last.atMs - first.atMs < 500) return null
    return Math.max(0, (last.value - first.value) / ((last.atMs - first.atMs) / 1_000))
  }
}
