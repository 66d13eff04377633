const MOST = 64
/** Requests that were refused together are one refusal. */
const HALVING_MS = 250

/**
 * How many requests may be under way at once: half as many after the store asked to slow down, and after that one more
 * for each round of requests that went well.
 */
export class Pace {
  #limit = MOST
  #under = 0
  #halvedAt = -Infinity
  readonly #waiting: (() => void)[] = []

  get limit(): number {
    return Math.floor(this.#limit)
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#under >= this.limit) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#under++
    try {
      const value = await work()
      this.#limit = Math.min(MOST, this.#limit + 1 / this.#limit)
      return value
    } finally {
      this.#under--
      while (this.#under < this.limit && this.#waiting.length > 0) {
        this.#under++
        this.#waiting.shift()?.()
      }
    }
  }

  slowDown(now = performance.now()): void {
    if (now - this.#halvedAt < HALVING_MS) return
    this.#halvedAt = now
    this.#limit = Math.max(1, this.#limit / 2)
  }
}
