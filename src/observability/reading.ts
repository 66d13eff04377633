import { isErrorCode, PipelineError, type ErrorCode } from '../domain/errors.js'

/** What a reading came to: a value, or the code of what is wrong. `TIMED_OUT` is ours: no answer within the limit. */
export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: ErrorCode | 'TIMED_OUT' }

/** A hanging read is given up after this many limits, so that one dead connection does not end all reading. */
const GIVE_UP_AFTER_LIMITS = 10

/**
 * Makes a reading that answers within `limitMs`, never rejects, is kept for `keepMs`, and is under way once at most:
 * however often it is asked for, what it reads from is asked rarely.
 */
export function keptReading<T>(o: {
  read: () => Promise<T>
  limitMs: number
  keepMs: number
}): () => Promise<Reading<T>> {
  let kept: { reading: Reading<T>; at: number } | null = null
  let underway: { reading: Promise<Reading<T>>; at: number } | null = null

  const start = (): Promise<Reading<T>> => {
    const mine = { reading: attempt(o.read), at: performance.now() }
    underway = mine
    void mine.reading.then((reading) => {
      if (underway !== mine) return
      kept = { reading, at: performance.now() }
      underway = null
    })
    return mine.reading
  }

  return () => {
    const now = performance.now()
    if (kept && now - kept.at < o.keepMs) return Promise.resolve(kept.reading)
    if (underway && now - underway.at < GIVE_UP_AFTER_LIMITS * o.limitMs) return within(o.limitMs, underway.reading)
    return within(o.limitMs, start())
  }
}

async function attempt<T>(read: () => Promise<T>): Promise<Reading<T>> {
  try {
    return { ok: true, value: await read() }
  } catch (thrown) {
    return { ok: false, code: codeOf(thrown) }
  }
}

function codeOf(thrown: unknown): ErrorCode {
  return thrown instanceof PipelineError && isErrorCode(thrown.code) ? thrown.code : 'UNEXPECTED'
}

async function within<T>(limitMs: number, reading: Promise<Reading<T>>): Promise<Reading<T>> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Reading<T>>((resolve) => {
    timer = setTimeout(() => resolve({ ok: false, code: 'TIMED_OUT' }), limitMs)
  })
  try {
    return await Promise.race([reading, late])
  } finally {
    clearTimeout(timer)
  }
}
