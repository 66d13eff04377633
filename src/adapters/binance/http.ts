import type { Dispatcher } from 'undici'
import { PipelineError } from '../../domain/errors.js'
import { networkFailure } from './http-failure.js'
import { openDispatcher, parseBase, timeoutsOf, type HttpOptions } from './http-options.js'
import { statusFailure } from './http-status.js'

/** An answer with success (or a status that the caller named), its body unread. */
export type HttpAnswer = {
  readonly status: number
  header(name: string): string | null
  readonly body: Dispatcher.ResponseData['body']
}

type Request = {
  /** What follows the base address, percent-encoded: `/data/…` or `?prefix=…`. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  /** Statuses besides 200 that are answers to the caller, not failures. */
  readonly accept?: readonly number[]
}

/** GET requests to one configured address and to no other. */
export interface Http {
  /** Scheme, host and port, without credentials. */
  readonly origin: string
  /**
   * One request; a redirect to the same origin is followed once.
   * @throws {ARCHIVE_ABSENT, ARCHIVE_UNREACHABLE, ARCHIVE_BUSY, ARCHIVE_REFUSED, ARCHIVE_REDIRECT}
   */
  get(o: Request): Promise<HttpAnswer>
  /** Ends every connection; requests under way fail. */
  close(): Promise<void>
}

/** A client of one base address. @throws {BAD_CONFIG} */
export function openHttp(baseUrl: string, o: HttpOptions): Http {
  const { url, authorization } = parseBase(baseUrl)
  const dispatcher = openDispatcher(url, o)
  const { headersMs, bodyIdleMs } = timeoutsOf(o)
  const basePath = url.pathname.replace(/\/+$/, '')
  const always = {
    'user-agent': o.userAgent,
    accept: '*/*',
    // Bytes are hashed and resumed as they are stored; a re-encoded body could be neither.
    'accept-encoding': 'identity',
    ...(authorization === null ? {} : { authorization }),
  }

  const send = async (path: string, request: Request): Promise<HttpAnswer> => {
    try {
      const answer = await dispatcher.request({
        origin: url.origin,
        path,
        method: 'GET',
        headers: { ...always, ...request.headers },
        signal: request.signal,
        headersTimeout: headersMs,
        bodyTimeout: bodyIdleMs,
      })
      const header = (name: string): string | null => {
        const value = answer.headers[name]
        return (Array.isArray(value) ? value[0] : value) ?? null
      }
      return { status: answer.statusCode, header, body: answer.body }
    } catch (thrown) {
      request.signal.throwIfAborted()
      throw networkFailure(thrown, url.origin)
    }
  }

  // What the archive says to one request holds for all: going on asking is what gets an address banned.
  let closedUntilMs = 0
  const failed = (status: number, at: string, retryAfter: string | null): PipelineError => {
    const failure = statusFailure({ status, at, retryAfter, nowMs: Date.now() })
    if (failure.retryAfterMs !== null) closedUntilMs = Math.max(closedUntilMs, Date.now() + failure.retryAfterMs)
    return failure
  }

  const get = async (request: Request): Promise<HttpAnswer> => {
    const retryAfterMs = closedUntilMs - Date.now()
    if (retryAfterMs > 0) {
      throw new PipelineError('ARCHIVE_BUSY', 'the archive asked for a pause', { at: url.origin, do: 'wait', retryAfterMs })
    }
    const path = request.path.startsWith('?') && basePath === '' ? `/${request.path}` : `${basePath}${request.path}`
    let answer = await send(path, request)
    if (isRedirect(answer)) {
      const target = await leave(answer, () => sameOriginTarget(answer, url.origin, path))
      answer = await send(target, request)
      const refuse = (): never => refuseRedirect(url.origin, path, 'the archive redirects twice', null)
      if (isRedirect(answer)) await leave(answer, refuse)
    }
    if (answer.status === 200 || request.accept?.includes(answer.status)) return answer
    return leave(answer, () => {
      const at = `${url.origin}${path.split('?', 1)[0] ?? ''}`
      throw failed(answer.status, at, answer.header('retry-after'))
    })
  }

  return { origin: url.origin, get, close: () => dispatcher.destroy() }
}

const isRedirect = (answer: HttpAnswer): boolean =>
  [301, 302, 303, 307, 308].includes(answer.status) && answer.header('location') !== null

/** Drops the rest of an answer, so that its connection can be used again (or is cut), and gives what `next` gives. */
async function leave<T>(answer: HttpAnswer, next: () => T): Promise<T> {
  await answer.body.dump({ limit: 65_536, signal: AbortSignal.timeout(1_000) }).catch(() => undefined)
  return next()
}

function sameOriginTarget(answer: HttpAnswer, origin: string, path: string): string {
  const location = answer.header('location') ?? ''
  const target = URL.canParse(location, `${origin}${path}`) ? new URL(location, `${origin}${path}`) : null
  if (target?.origin === origin) return `${target.pathname}${target.search}`
  return refuseRedirect(origin, path, 'the archive redirects to another host', target?.origin ?? null)
}

function refuseRedirect(origin: string, path: string, message: string, to: string | null): never {
  throw new PipelineError('ARCHIVE_REDIRECT', message, {
    at: `${origin}${path.split('?', 1)[0] ?? ''}`,
    to,
    do: to === null ? 'check the configured address' : `if you trust ${to}, configure it as the address`,
  })
}
