import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { errnoOf } from '../domain/errno.js'
import { PipelineError } from '../domain/errors.js'
import { answerError } from './answer.js'
import { Weights, type Api } from './api-route.js'
import { Bucket } from './bucket.js'
import type { Exchange, LoggedRequest } from './exchange.js'
import type { FaultRule } from './fault-rule.js'
import { Faults } from './faults.js'
import { KlineBook } from './kline-book.js'
import { route } from './router.js'
import { parseTarget } from './target.js'

export type ArchiveServer = {
  /** `http://127.0.0.1:PORT` or the host that was named, without a `/` at its end; serves objects and, at `/?prefix=…`, the listing. */
  readonly url: string
  readonly port: number
  /** May be changed at any time. */
  readonly faults: Faults
  /** The latest 10,000 requests at least, oldest first; may be emptied. */
  readonly requests: LoggedRequest[]
  /** Ends every connection, also stalled ones, and resolves when nothing is left open. */
  readonly close: () => Promise<void>
}

export type ArchiveServerOptions = {
  /** The folder that holds `data/…`; it is never written to. */
  readonly root: string
  /** 0, the default, is any free port. */
  readonly port?: number
  /** Default 127.0.0.1; a container that others ask listens on 0.0.0.0. */
  readonly host?: string
  readonly faults?: FaultRule | readonly FaultRule[]
  /** What the exchange's API takes for the time, ms since 1970. Default: the clock. */
  readonly now?: () => number
  /** Of the faults' chances. */
  readonly seed?: number
}

const REQUESTS_KEPT = 10_000

/**
 * Serves a folder in the archive's layout as the archive's bucket does, on 127.0.0.1 unless told otherwise.
 * @throws {BAD_CONFIG} no `data` folder in the root, the port is taken, or a fault's number is out of its range
 */
export async function startArchiveServer(o: ArchiveServerOptions): Promise<ArchiveServer> {
  const faults = new Faults(o.faults, o.seed)
  const bucket = await Bucket.open(o.root)
  const requests: LoggedRequest[] = []
  const api = { book: new KlineBook(bucket), now: o.now ?? Date.now, weights: new Weights() }
  const open = new Set<Promise<void>>()
  const server = createServer((req, res) => {
    const done = exchangeOf(req, res, { bucket, api, faults, requests }).finally(() => open.delete(done))
    open.add(done)
  })
  // Longer than any client keeps an idle connection: ours must never be the side that closes it under a request.
  server.keepAliveTimeout = 120_000
  const host = o.host ?? '127.0.0.1'
  const port = await listen(server, o.port ?? 0, host)
  const close = async (): Promise<void> => {
    if (server.listening) {
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    }
    await Promise.all(open)
  }
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`, port, faults, requests, close }
}

async function listen(server: Server, port: number, host: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(portError(error, port)))
    server.listen(port, host, resolve)
  })
  return (server.address() as AddressInfo).port
}

function portError(error: Error, port: number): Error {
  const reasons: Record<string, string> = { EADDRINUSE: 'is taken', EACCES: 'may not be used by this user' }
  const reason = reasons[errnoOf(error) ?? '']
  if (reason === undefined) return error
  const facts = { at: '--port', port, do: 'name another port, or 0 for a free one' }
  return new PipelineError('BAD_CONFIG', `port ${port} ${reason}`, facts, error)
}

type Parts = { readonly bucket: Bucket; readonly api: Api; readonly faults: Faults; readonly requests: LoggedRequest[] }

/** Answers one request; settles when the answer is given or the connection gone, and never rejects. */
async function exchangeOf(req: IncomingMessage, res: ServerResponse, parts: Parts): Promise<void> {
  const { bucket, api, faults, requests } = parts
  const gone = new AbortController()
  const closed = new Promise<void>((resolve) => res.once('close', resolve))
  res.once('close', () => gone.abort())
  res.on('error', () => gone.abort())
  const target = parseTarget(req.url ?? '/')
  const method = req.method ?? 'GET'
  const logged = { method, path: target.path, range: req.headers.range ?? null, status: 0, bytes: 0 }
  remember(requests, logged)
  const x: Exchange = {
    req, res, method: method === 'HEAD' ? 'HEAD' : 'GET', target: target.raw, key: target.key, query: target.query,
    logged, faults, signal: gone.signal,
  }
  try {
    if (method === 'GET' || method === 'HEAD') await route(x, bucket, api)
    else await refuseMethod(x)
  } catch (thrown) {
    if (!gone.signal.aborted) await breakDown(x, thrown)
  }
  await closed
}

const refuseMethod = (x: Exchange): Promise<void> =>
  answerError(x, 405, {
    code: 'MethodNotAllowed',
    message: 'The specified method is not allowed against this resource.',
  }, { allow: 'GET, HEAD', connection: 'close' })

/** The disk failed us: say so where nothing has been said yet, else end the connection. */
async function breakDown(x: Exchange, thrown: unknown): Promise<void> {
  if (x.res.headersSent) {
    x.res.destroy()
    return
  }
  const message = `We encountered an internal error: ${errnoOf(thrown) ?? 'unknown'}.`
  await answerError(x, 500, { code: 'InternalError', message }).catch(() => x.res.destroy())
}

/** Old entries go in halves, so that a request costs the same however many came before it. */
function remember(requests: LoggedRequest[], logged: LoggedRequest): void {
  if (requests.length >= 2 * REQUESTS_KEPT) requests.splice(0, requests.length - REQUESTS_KEPT)
  requests.push(logged)
}
