const CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

export type Ending = { readonly signal: keyof typeof CODES; readonly code: number }

/** The process as far as signals need it. */
export interface SignalSource {
  on(signal: keyof typeof CODES, listener: () => void): unknown
  off(signal: keyof typeof CODES, listener: () => void): unknown
}

/** Ctrl-C and its like: the first asks to end, the second ends. */
export interface Interrupts {
  /** Fires at the first signal. */
  readonly signal: AbortSignal
  /** How the process was asked to end; null while it was not. */
  readonly ending: Ending | null
  stop(): void
}

/**
 * Milliseconds for the work in hand. SIGTERM comes from a supervisor that kills when its patience is over; a person who
 * pressed Ctrl-C waits, and can press it again: undefined, as long as it takes.
 */
export const graceMsOf = ({ ending }: Pick<Interrupts, 'ending'>, graceSeconds: number): number | undefined =>
  ending?.signal === 'SIGTERM' ? graceSeconds * 1_000 : undefined

/** Listens until `stop`. `onFirst` is called once; at the second signal `exit` gets the code of that signal. */
export function listenForInterrupts(o: {
  source: SignalSource; onFirst: (ending: Ending) => void; exit: (code: number) => void
}): Interrupts {
  const controller = new AbortController()
  let ending: Ending | null = null
  const listeners = (Object.keys(CODES) as (keyof typeof CODES)[]).map((signal) => ({
    signal,
    listener: () => {
      if (ending !== null) return o.exit(CODES[signal])
      ending = { signal, code: CODES[signal] }
      controller.abort()
      o.onFirst(ending)
    },
  }))
  for (const { signal, listener } of listeners) o.source.on(signal, listener)
  return {
    signal: controller.signal,
    get ending() {
      return ending
    },
    stop: () => listeners.forEach(({ signal, listener }) => o.source.off(signal, listener)),
  }
}
