import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'

/** A request as the SDK hands it over: signed, its path encoded and its query not. */
type SdkRequest = {
  readonly method: string
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Readable | Uint8Array | string
}

type SdkResponse = {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Readable
}

/**
 * Carries the SDK's requests over undici, which gives them the proxies, authorities and time limits that requests to the
 * archive have; the SDK's own handler takes a proxy only from a further package.
 */
export class S3Transport {
  readonly metadata = { handlerProtocol: 'http/1.1' }
  readonly #dispatcher: Dispatcher
  #aheadMs = 0

  constructor(dispatcher: Dispatcher) {
    this.#dispatcher = dispatcher
  }

  async handle(request: SdkRequest, o: { abortSignal?: AbortSignal } = {}): Promise<{ response: SdkResponse }> {
    const port = request.port === undefined ? '' : `:${request.port}`
    const { statusCode, headers, body } = await this.#dispatcher.request({
      origin: `${request.protocol}//${request.hostname}${port}`,
      path: `${request.path}${queryOf(request.query)}`,
      method: request.method,
      headers: sendable(request.headers),
      body: request.body ?? null,
      ...(o.abortSignal ? { signal: o.abortSignal } : {}),
    })
    const at = Date.parse(String(headers['date']))
    if (!Number.isNaN(at)) this.#aheadMs = at - Date.now()
    // Whoever reads the body is told what breaks it off; one that nobody reads to its end breaks off unheard.
    body.on('error', () => undefined)
    return { response: { statusCode, headers: flat(headers), body } }
  }

  /** Milliseconds that the server's clock is ahead of ours, to the second, as its latest answer says. */
  get aheadMs(): number {
    return this.#aheadMs
  }

  /** Options of the SDK's own handlers; none of them is for this one. */
  updateHttpClientConfig(): void {}
  httpHandlerConfigs(): Record<string, never> {
    return {}
  }

  destroy(): void {
    void this.#dispatcher.destroy()
  }
}

/** undici writes these by itself. */
const OWN = new Set(['transfer-encoding', 'connection', 'expect'])

const sendable = (headers: SdkRequest['headers']): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !OWN.has(name.toLowerCase())))

function flat(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value])
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Record<string, string>
}

/** Encoded as it is signed: everything but letters, digits and `-_.~`. */
function queryOf(query: SdkRequest['query'] = {}): string {
  const pairs = Object.entries(query).sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([name, value]) => {
    if (value === null) return [escape(name)]
    return (typeof value === 'string' ? [value] : value).map((one) => `${escape(name)}=${escape(one)}`)
  })
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}

const escape = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
