import { createAdaptorServer } from '@hono/node-server'
import type { Hono } from 'hono'
import type { Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { PipelineError } from '../domain/errors.js'
import { bareHost, isLoopback } from './bind.js'

export type Listening = {
  /** `http://127.0.0.1:3000`, without a slash at its end. */
  readonly url: string
  readonly port: number
  /** Takes no new request, gives those under way 5 s, and ends every connection. */
  readonly close: () => Promise<void>
}

const CLOSE_MS = 5_000

/**
 * Serves an application over HTTP; the server's time limits hold for every request.
 * @throws {BAD_CONFIG} the address cannot be had
 * @throws {UNSAFE_BIND} `localhost` is an address here that other machines may reach
 */
export async function listen(app: Hono, o: { host: string; port: number }): Promise<Listening> {
  const host = bareHost(o.host)
  const server = createAdaptorServer({
    fetch: app.fetch,
    overrideGlobalObjects: false,
    serverOptions: {
      headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 5_000, connectionsCheckingInterval: 5_000,
      maxHeaderSize: 16 * 1_024,
    },
  }) as Server
  // A connection that says nothing is ended too; no answer takes so long.
  server.setTimeout(60_000)
  server.maxConnections = 512
  const underway = new Set<ServerResponse>()
  server.on('request', (_, res: ServerResponse) => {
    underway.add(res)
    res.once('close', () => underway.delete(res))
  })
  await new Promise<void>((done, failed) => {
    server.once('error', (error) => failed(addressError(error, host, o.port)))
    server.listen(o.port, host, done)
  })
  const { address, port } = server.address() as AddressInfo
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  const listening = { url, port, close: () => close(server, underway) }
  if (isLoopback(host) && !isLoopback(address)) {
    await listening.close()
    throw new PipelineError('UNSAFE_BIND', `${host} is ${address} here, which other machines may reach`, {
      at: host, do: 'listen on 127.0.0.1',
    })
  }
  return listening
}

async function close(server: Server, underway: ReadonlySet<ServerResponse>): Promise<void> {
  if (!server.listening) return
  const closed = new Promise<void>((done) => server.close(() => done()))
  const answered = Promise.all([...underway].map((res) => new Promise((done) => res.once('close', done))))
  await Promise.race([answered, sleep(CLOSE_MS, undefined, { ref: false })])
  // Browsers keep connections in reserve on which nothing was ever asked; Node does not count these as idle.
  server.closeAllConnections()
  await closed
}

function addressError(error: NodeJS.ErrnoException, host: string, port: number): PipelineError {
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: 'is taken', EACCES: 'may not be used by this user', EADDRNOTAVAIL: 'is not an address of this machine',
    ENOTFOUND: 'is not a known name',
  }
  const reason = reasons[error.code ?? ''] ?? `cannot be listened on (${error.code ?? 'unknown'})`
  return new PipelineError('BAD_CONFIG', `${host}:${port} ${reason}`, {
    at: `${host}:${port}`, do: 'name another SERVER_HOST or SERVER_PORT, or port 0 for a free one',
  }, error)
}
