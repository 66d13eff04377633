type Stop = () => Promise<void>

const stops: Stop[] = []
const started = new Map<string, Promise<unknown>>()

/** A server that all tests of a run share: started on first use, stopped by `stopShared` in reverse order. */
export function shared<T>(name: string, start: () => Promise<{ value: T; stop: Stop }>): Promise<T> {
  const running = started.get(name)
  if (running) return running as Promise<T>
  const starting = start().then(({ value, stop }) => {
    stops.push(stop)
    return value
  })
  started.set(name, starting)
  return starting
}

export async function stopShared(): Promise<void> {
  for (const stop of stops.reverse()) await stop()
  stops.length = 0
  started.clear()
}
