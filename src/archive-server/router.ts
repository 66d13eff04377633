import { setTimeout as sleep } from 'node:timers/promises'
import type { OutgoingHttpHeaders } from 'node:http'
import { answerBytes, answerError, answerNoSuchKey } from './answer.js'
import { answerApiFailure, isApi } from './api-answer.js'
import { serveApi, type Api } from './api-route.js'
import { isSafe, type Bucket } from './bucket.js'
import type { Exchange } from './exchange.js'
import { serveListing } from './listing-route.js'
import { serveObject } from './object-route.js'

/** An endpoint: the keys it serves, and how. A new one is one more line of `ROUTES`. */
export type Route = {
  readonly serves: (key: string) => boolean
  readonly serve: (x: Exchange, bucket: Bucket, api: Api) => Promise<void>
}

/** The first route that serves a key answers. */
const ROUTES: readonly Route[] = [
  { serves: (key) => key === '', serve: serveListing },
  { serves: (key) => key.startsWith('data/'), serve: serveObject },
  { serves: (key) => key.startsWith('api/'), serve: (x, _, api) => serveApi(x, api) },
]

/** Answers one request: first the faults that keep any route from answering, then the route. */
export async function route(x: Exchange, bucket: Bucket, api: Api): Promise<void> {
  const slow = x.faults.strike('latencyMs', x.logged.path)
  if (slow !== null) await sleep(slow.latencyMs, undefined, { signal: x.signal })
  if (await failed(x)) return
  if (x.key !== '' && !isSafe(x.key)) {
    return answerError(x, 400, { code: 'InvalidURI', message: 'Could not parse the specified URI.' })
  }
  const found = ROUTES.find((one) => one.serves(x.key))
  return found ? found.serve(x, bucket, api) : answerNoSuchKey(x)
}

const PAGE_HTML = '<!doctype html><html><head><title>Just a moment</title></head><body>Please wait.</body></html>\n'

/** The faults of whole answers, the rudest first. Gives whether one of them answered. */
async function failed(x: Exchange): Promise<boolean> {
  const { faults, logged } = x
  if (faults.strike('dropFrom', logged.path, (rule) => rule.dropFrom === 0) !== null) {
    x.res.socket?.resetAndDestroy()
    return true
  }
  const busy = faults.strike('tooManyRequests', logged.path)?.tooManyRequests
  if (busy) {
    await refuse(x, 429, 'TooManyRequests', { 'retry-after': String(busy.retryAfterSeconds) })
    return true
  }
  const banned = faults.strike('bannedSeconds', logged.path)?.bannedSeconds
  if (banned !== undefined) {
    await refuse(x, 418, 'Banned', { 'retry-after': String(banned) })
    return true
  }
  if (faults.strike('restricted', logged.path) !== null) {
    await refuse(x, 451, 'Restricted')
    return true
  }
  const error = faults.strike('errorRate', logged.path)
  if (error !== null) {
    await refuse(x, error.errorStatus ?? 503, 'SlowDown')
    return true
  }
  const redirect = faults.strike('redirectTo', logged.path)?.redirectTo
  if (redirect !== undefined) {
    await answerBytes(x, 302, 'text/html', '', { location: redirect.replace(/\/+$/, '') + x.target })
    return true
  }
  if (faults.strike('htmlPage', logged.path) === null) return false
  await answerBytes(x, 200, 'text/html', PAGE_HTML)
  return true
}

/** A refusal in the words of whoever was asked: the API's JSON, or the bucket's XML. */
const refuse = (x: Exchange, status: number, code: string, headers: OutgoingHttpHeaders = {}): Promise<void> =>
  isApi(x.logged.path)
    ? answerApiFailure(x, status, headers)
    : answerError(x, status, { code, message: 'Please reduce your request rate.' }, headers)
