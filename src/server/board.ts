import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { HonoAdapter } from '@bull-board/hono'
import { serveStatic } from '@hono/node-server/serve-static'
import type { Queue } from 'bullmq'
import { Hono, type MiddlewareHandler } from 'hono'
import { resolve } from 'node:path'
import { partitionKeyOf } from '../domain/partition.js'
import type { Log } from '../domain/ports/observe.js'
import { decodeStageJob } from '../jobs/stage-job.js'
import { problem } from './problem.js'
import type { Redact } from './redact.js'

export const BOARD_PATH = '/board'

/** What may be done besides looking, by the board's own route templates; only a failed job is ever run again. */
const RETRY_ROUTES: readonly string[] = [
  '/api/queues/:queueName/:jobId/retry',
  '/api/queues/:queueName/retry/:queueStatus',
]

/** A BullMQ queue of either backend. `Queue` alone, as the board's types have it, means one on Redis. */
export type BoardQueue = Pick<Queue, 'name' | 'qualifiedName' | 'getJobState'>

type BoardOptions = {
  readonly queues: readonly BoardQueue[]
  /** Whether failed jobs may be retried: only where a password keeps others out. */
  readonly allowRetries: boolean
  readonly redact: Redact
  readonly log: Log
}

/** Bull Board over the given queues, mounted at `/board`: for looking, and for retrying what failed. */
export function board(o: BoardOptions): Hono {
  const adapter = new Adapter(o)
  adapter.setBasePath(BOARD_PATH)
  const mode = { readOnlyMode: !o.allowRetries, allowRetries: o.allowRetries, allowCompletedRetries: false }
  createBullBoard({
    queues: o.queues.map((queue) => {
      const shown = new BullMQAdapter(queue as Queue, mode)
      shown.setFormatter('data', shownPayload)
      return shown
    }),
    serverAdapter: adapter,
    options: {
      uiConfig: {
        boardTitle: 'candlelake queues',
        boardLogo: { path: '' },
        favIcon: { default: 'static/images/logo.svg', alternative: 'static/favicon-32x32.png' },
        miscLinks: [{ text: 'Status', url: '/' }],
        // Every open page asks this often; counting 5 queues takes up to 0.1 s on the Postgres backend.
        pollingInterval: { showSetting: true, forceInterval: 10 },
        // Would ask Redis for its list of clients on each poll, and shows addresses.
        showWorkers: false,
        hideRedisDetails: true,
      },
      handlerHooks: {
        before: (x) => isAllowed(o, x.method, x.route, x.request.params),
        after: (_, result) => ({ ...result, body: o.redact.value(result.body) as typeof result.body }),
      },
    },
  })
  const app = new Hono()
  app.use(withoutForeignLinks)
  app.route(BOARD_PATH, adapter.registerPlugin())
  app.onError((error, c) => {
    o.log.error('board.failed', { path: c.req.path, why: o.redact.text(error.message) })
    return problem(c, 'UNEXPECTED')
  })
  return app
}

/** A stage's payload in words; what is none is shown as it is, for a person to judge. */
function shownPayload(data: unknown): unknown {
  try {
    const { partition, ...job } = decodeStageJob(data)
    return { partition: partitionKeyOf(partition), ...job }
  } catch {
    return data
  }
}

const REFUSED = { allow: false, status: 405, errorKey: 'ERRORS.QUEUE_READ_ONLY' } as const

/** The board guards each queue's routes by itself, but not those over all queues, and has no "retries only". */
async function isAllowed(
  o: BoardOptions, method: string, route: string, params: Readonly<Record<string, unknown>>,
): Promise<typeof REFUSED | { allow: true }> {
  if (method === 'get') return { allow: true }
  if (!o.allowRetries || !RETRY_ROUTES.includes(route)) return REFUSED
  if ('queueStatus' in params) return params['queueStatus'] === 'failed' ? { allow: true } : REFUSED
  const queue = o.queues.find((one) => one.name === params['queueName'])
  const state = await queue?.getJobState(String(params['jobId']))
  return state === 'failed' ? { allow: true } : REFUSED
}

/** Errors of the board as one fixed answer, and files found from wherever the process was started. */
class Adapter extends HonoAdapter {
  constructor({ log, redact }: BoardOptions) {
    const fromHere: typeof serveStatic = (options) => serveStatic({ ...options, root: resolve(options?.root ?? '') })
    super(fromHere)
    this.errorHandler = (error) => {
      log.error('board.failed', { why: redact.text(error.message) })
      return { status: 500, body: { error: { key: 'ERRORS.INTERNAL_SERVER_ERROR' } } }
    }
  }

  /** Keeps our handler: the board's own shows an error's message, and in development its stack. */
  override setErrorHandler(): this {
    return this
  }
}

const FOREIGN_LINK = /<link\b[^>]*\bhref="(?:https?:)?\/\/[^>]*>\s*/gi

/** The board's page links fonts of a public host: nothing that is opened here may call out. */
const withoutForeignLinks: MiddlewareHandler = async (c, next) => {
  await next()
  if (!(c.res.headers.get('content-type') ?? '').startsWith('text/html')) return
  const page = await c.res.text()
  c.res = new Response(page.replace(FOREIGN_LINK, ''), { status: c.res.status, headers: c.res.headers })
}
