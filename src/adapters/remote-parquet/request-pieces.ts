import type { ByteRange } from '../../domain/plan-ranges.js'

const PIECE_BYTES = 4 * 1024 ** 2

/** Long ranges in pieces: their bytes pass through memory, and several connections carry more than one. */
export function inPieces({ start, end }: ByteRange): ByteRange[] {
  const count = Math.ceil((end - start) / PIECE_BYTES)
  const at = (n: number): number => start + Math.floor(((end - start) * n) / count)
  return Array.from({ length: count }, (_, n) => ({ start: at(n), end: at(n + 1) }))
}

/** At most `limit` at work at a time; after the first failure nothing new begins, and what began has ended. */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0
  let failure: { readonly thrown: unknown } | null = null
  const lane = async (): Promise<void> => {
    for (let at = next++; at < items.length && !failure; at = next++) {
      await work(items[at]!).catch((thrown: unknown) => (failure ??= { thrown }))
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane))
  if (failure) throw (failure as { thrown: unknown }).thrown
}

/** So many at work at a time, whoever they work for; the others wait in order. */
export class Slots {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(count: number) {
    this.#free = count
  }

  async hold<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free++
    }
  }
}
