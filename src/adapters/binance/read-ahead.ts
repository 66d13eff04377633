/**
 * Gives what `start` makes of each item, in order, while up to `limit` of the next ones are on their way. Leaving the
 * loop, or a failure, aborts those and waits until they have ended: afterwards nothing is written any more.
 */
export async function* readAhead<T, R>(
  items: readonly T[],
  o: { limit: number; signal: AbortSignal; start: (item: T, signal: AbortSignal) => Promise<R> },
): AsyncGenerator<R> {
  const own = new AbortController()
  const signal = AbortSignal.any([o.signal, own.signal])
  const pending: Promise<R>[] = []
  let next = 0
  const fill = (): void => {
    for (; pending.length < o.limit && next < items.length; next++) {
      const started = o.start(items[next]!, signal)
      started.catch(() => undefined) // awaited in order below; a later one may fail before that
      pending.push(started)
    }
  }
  try {
    for (fill(); pending.length > 0; fill()) {
      const result = await pending[0]!
      void pending.shift()
      yield result
    }
  } finally {
    own.abort()
    await Promise.allSettled(pending)
  }
}
