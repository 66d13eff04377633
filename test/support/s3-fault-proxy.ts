import { createServer, request as ask, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** What goes wrong with a request or its answer. */
export type S3Fault =
  /** 503 SlowDown; the server never sees the request. */
  | 'slow-down'
  /** The server does what it is asked, and the connection is reset instead of its answer. */
  | 'reset-after'
  /** The connection is reset in the middle of the request's body, or before it. */
  | 'reset-before'
  /** Half of the answer's body, then the connection ends. */
  | 'truncate'
  /** Half of the answer's body, declared as all of it. */
  | 'shorten'
  /** One bit of the answer's body is another. */
  | 'flip'
  /** 403 ExpiredToken; the server never sees the request. */
  | 'expired'
  /** 403 AccessDenied; the server never sees the request. */
  | 'denied'
  /** The answer comes late. */
  | 'latency'

export type S3Asked = {
  readonly method: string
  /** With the bucket, decoded. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
}

export type S3FaultProxy = {
  readonly endpoint: string
  /** Chooses what goes wrong with a request; null: nothing. */
  choose: (asked: S3Asked) => S3Fault | null
  /** How often each fault really happened: written to a socket, not merely chosen. */
  readonly happened: Map<S3Fault, number>
  /** Requests that the server answered, by method. */
  readonly passed: Map<string, number>
  close(): Promise<void>
}

const LATENCY_MS = 400

/** A proxy in front of an S3 server. Its requests keep their Host, which their signature covers. */
export async function startS3FaultProxy(upstream: string): Promise<S3FaultProxy> {
  const { hostname, port } = new URL(upstream)
  const happened = new Map<S3Fault, number>()
  const passed = new Map<string, number>()
  const count = <K>(map: Map<K, number>, key: K): void => void map.set(key, (map.get(key) ?? 0) + 1)
  const server = createServer((request, response) => {
    const fault = proxy.choose(askedOf(request))
    handle(request, response, fault).catch(() => request.socket.destroy())
  })
  const handle = async (request: IncomingMessage, response: ServerResponse, fault: S3Fault | null): Promise<void> => {
    if (fault === 'slow-down' || fault === 'expired' || fault === 'denied') {
      await drained(request)
      response.once('finish', () => count(happened, fault))
      return refuse(request, response, fault)
    }
    if (fault === 'reset-before') {
      count(happened, fault)
      return void request.socket.resetAndDestroy()
    }
    const answer = await forward(request)
    count(passed, request.method ?? '')
    if (fault === 'reset-after') {
      await drained(answer) // committed, whatever the answer was
      count(happened, fault)
      return void request.socket.resetAndDestroy()
    }
    if (fault === 'latency') {
      count(happened, fault)
      await sleep(LATENCY_MS)
    }
    if (fault === null || fault === 'latency') {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
      answer.pipe(response)
      return
    }
    await spoil(answer, request, response, fault, () => count(happened, fault))
  }
  const forward = (request: IncomingMessage): Promise<IncomingMessage> => new Promise((resolve, reject) => {
    const { method, url: path, rawHeaders: headers } = request
    const out = ask({ hostname, port, method, path, headers: headers, agent: false, setHost: false }, resolve)
    out.once('error', reject)
    request.once('error', reject)
    request.once('close', () => request.complete || out.destroy())
    request.pipe(out)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy: S3FaultProxy = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    choose: () => null, happened, passed,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy
}

/** An answer with half of its bytes, or with others. An empty one cannot be spoilt, and goes through. */
async function spoil(
  answer: IncomingMessage, request: IncomingMessage, response: ServerResponse, fault: S3Fault, done: () => void,
): Promise<void> {
  const pieces: Buffer[] = []
  for await (const piece of answer as AsyncIterable<Buffer>) pieces.push(piece)
  const body = Buffer.concat(pieces)
  const half = Math.floor(body.length / 2)
  if (body.length > 0 && fault === 'flip') body[half] = (body[half] ?? 0) ^ 1
  const headers = { ...answer.headers, 'content-length': String(fault === 'shorten' ? half : body.length) }
  response.writeHead(answer.statusCode ?? 502, headers)
  if (body.length > 0) done()
  if (fault === 'flip') return void response.end(body)
  if (fault === 'shorten') return void response.end(body.subarray(0, half))
  response.write(body.subarray(0, half), () => request.socket.destroySoon())
}

const REFUSALS = { 'slow-down': [503, 'SlowDown'], expired: [403, 'ExpiredToken'], denied: [403, 'AccessDenied'] } as const

function refuse(request: IncomingMessage, response: ServerResponse, fault: keyof typeof REFUSALS): void {
  const [status, code] = REFUSALS[fault]
  const body = request.method === 'HEAD' ? '' : `<Error><Code>${code}</Code><Message>made by a test</Message></Error>`
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(body) }).end(body)
}

async function drained(stream: IncomingMessage): Promise<void> {
  for await (const _ of stream) continue
}

function askedOf({ method = '', url = '', headers }: IncomingMessage): S3Asked {
  const [path = '', query = ''] = url.split('?', 2)
  return { method, path: decodeURIComponent(path), query: new URLSearchParams(query), headers }
}
