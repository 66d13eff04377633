import type { Hono, MiddlewareHandler } from 'hono'
import type { Log } from '../domain/ports/observe.js'
import { board, BOARD_PATH, type BoardQueue } from './board.js'
import { problem } from './problem.js'
import type { Redact } from './redact.js'

/** A queue that is down would keep a browser waiting for ever. */
const LIMIT_MS = 15_000

type BoardRoutesOptions = {
  readonly boards: readonly BoardQueue[] | (() => Promise<readonly BoardQueue[]>)
  readonly allowRetries: boolean
  readonly redact: Redact
  readonly log: Log
  readonly limitMs?: number
}

/** Mounts the board, which is made on the first request; a failure to make it is tried again on the next. */
export function boardRoutes(app: Hono, o: BoardRoutesOptions): void {
  let making: Promise<Hono> | null = null
  const made = (): Promise<Hono> => {
    making ??= (async () => board({ ...o, queues: typeof o.boards === 'function' ? await o.boards() : o.boards }))()
    making.catch(() => {
      making = null
    })
    return making
  }
  const serve: MiddlewareHandler = async (c, next) => {
    const answer = await withinLimit(made().then((one) => one.fetch(c.req.raw, c.env)), o.limitMs ?? LIMIT_MS)
    if (answer === 'late') return problem(c, 'TIMED_OUT')
    if (answer.status === 404 && !(answer.headers.get('content-type') ?? '').includes('json')) return next()
    return new Response(answer.body, answer)
  }
  app.all(BOARD_PATH, serve)
  app.all(`${BOARD_PATH}/*`, serve)
}

async function withinLimit<T>(work: Promise<T>, limitMs: number): Promise<T | 'late'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), limitMs)
  })
  work.catch(() => undefined)
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
