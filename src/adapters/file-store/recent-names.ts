/** Remembers the latest names, a bounded number of them. */
export class RecentNames {
  readonly #names = new Set<string>()
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  has(name: string): boolean {
    return this.#names.has(name)
  }

  add(name: string): void {
    this.#names.delete(name)
    this.#names.add(name)
    if (this.#names.size <= this.#max) return
    const [oldest] = this.#names
    if (oldest !== undefined) this.#names.delete(oldest)
  }
}
