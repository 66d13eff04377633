/** Runs work on one key after the other within this process; work on different keys runs at once. */
export class KeyLocks {
  readonly #tails = new Map<string, Promise<unknown>>()

  get size(): number {
    return this.#tails.size
  }

  /** Holds two keys; the sorted order keeps two such calls from waiting for each other. */
  runBoth<T>(keys: readonly [string, string], work: () => Promise<T>): Promise<T> {
    const [first, second] = keys[0] < keys[1] ? keys : [keys[1], keys[0]]
    return this.run(first, () => this.run(second, work))
  }

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve()
    const mine = before.then(work, work)
    const tail = mine.catch(() => undefined)
    this.#tails.set(key, tail)
    try {
      return await mine
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key)
    }
  }
}
