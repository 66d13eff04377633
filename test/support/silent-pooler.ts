import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import type pg from 'pg'

export type SilentPooler = {
  readonly connection: pg.PoolConfig
  readonly swallowed: number
  close(): Promise<void>
}

/** NotificationResponse. */
const NOTIFICATION = 'A'.charCodeAt(0)

/** Passes a server's protocol on but for its notifications, as a pooler in transaction mode does. */
export async function openSilentPooler(to: pg.PoolConfig): Promise<SilentPooler> {
  let swallowed = 0
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(join(to.host ?? '', `.s.PGSQL.${to.port ?? 5432}`))
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        client.destroy()
        upstream.destroy()
      })
    }
    client.pipe(upstream)
    let held = Buffer.alloc(0)
    upstream.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk])
      while (held.length >= 5 && held.length >= 1 + held.readUInt32BE(1)) {
        const message = held.subarray(0, 1 + held.readUInt32BE(1))
        held = held.subarray(message.length)
        if (message[0] === NOTIFICATION) swallowed++
        else client.write(message)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    connection: { ...to, host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    get swallowed() {
      return swallowed
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
