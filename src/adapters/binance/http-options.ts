import { readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'
import { EnvHttpProxyAgent, Pool, type Dispatcher } from 'undici'
import { PipelineError } from '../../domain/errors.js'
import { authorizationOf } from '../../domain/url-credentials.js'

/** How long each step may take, milliseconds: until connected, until the headers, between two chunks of a body. */
export type HttpTimeouts = { readonly connectMs: number; readonly headersMs: number; readonly bodyIdleMs: number }

/** How requests travel. Proxies and CA come from the configuration, never from the environment of the process. */
export type HttpOptions = {
  readonly userAgent: string
  readonly timeouts?: Partial<HttpTimeouts>
  /** Connections per origin at one time; further requests wait. */
  readonly connections?: number
  readonly httpProxy?: string | null
  readonly httpsProxy?: string | null
  readonly noProxy?: string | null
  /** A PEM file of authorities, trusted besides the built-in ones. */
  readonly caFile?: string | null
}

export const DEFAULT_TIMEOUTS: HttpTimeouts = { connectMs: 10_000, headersMs: 30_000, bodyIdleMs: 30_000 }
export const DEFAULT_CONNECTIONS = 16

export const timeoutsOf = (o: HttpOptions): HttpTimeouts => ({ ...DEFAULT_TIMEOUTS, ...o.timeouts })

/** A base address from the configuration and the credentials that it carried. @throws {BAD_CONFIG} */
export function parseBase(text: string): { readonly url: URL; readonly authorization: string | null } {
  const url = URL.canParse(text) ? new URL(text) : null
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new PipelineError('BAD_CONFIG', 'the archive address is not an http or https URL', {
      do: 'use an address like https://data.binance.vision',
    })
  }
  const authorization = authorizationOf(url)
  url.username = url.password = url.search = url.hash = ''
  return { url, authorization }
}

/** A dispatcher for one base address. @throws {BAD_CONFIG} a CA file that cannot be read, a proxy that is no URL */
export function openDispatcher(base: URL, o: HttpOptions): Dispatcher {
  const { connectMs, headersMs, bodyIdleMs } = timeoutsOf(o)
  const connect = { timeout: connectMs, ...(o.caFile ? { ca: [...rootCertificates, readCa(o.caFile)] } : {}) }
  const secure = base.protocol === 'https:'
  // An empty text, unlike undefined, keeps undici from reading HTTP_PROXY and NO_PROXY by itself; and as one client has
  // one base address, the proxy of the other scheme is left out (undici would use httpProxy for https too).
  const proxies = { httpProxy: secure ? '' : (o.httpProxy ?? ''), httpsProxy: secure ? (o.httpsProxy ?? '') : '' }
  checkProxy(secure ? proxies.httpsProxy : proxies.httpProxy)
  return new EnvHttpProxyAgent({
    ...proxies,
    noProxy: o.noProxy ?? '',
    connect,
    requestTls: connect,
    proxyTls: connect,
    // Plain http goes through a proxy as an absolute-form request: many proxies allow CONNECT to port 443 only.
    proxyTunnel: secure,
    // The tunnel's own client waits 300 s for a proxy's answer by default.
    clientFactory: (origin: URL, options: object) => new Pool(origin, { ...options, headersTimeout: connectMs }),
    connections: o.connections ?? DEFAULT_CONNECTIONS,
    headersTimeout: headersMs,
    bodyTimeout: bodyIdleMs,
  })
}

function readCa(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (thrown) {
    throw new PipelineError('BAD_CONFIG', 'the CA file cannot be read', { at: path }, thrown)
  }
}

function checkProxy(text: string): void {
  if (text === '' || (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol))) return
  throw new PipelineError('BAD_CONFIG', 'the proxy address is not an http or https URL', {
    do: 'use an address like http://proxy.example:3128',
  })
}
