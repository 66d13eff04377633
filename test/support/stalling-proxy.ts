import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import type pg from 'pg'

export type StallingProxy = {
  readonly connection: pg.PoolConfig
  /** From now on nothing passes on the connections there are, and nobody is told; gives how many. New ones work. */
  stall(): number
  close(): Promise<void>
}

/** Passes a server's protocol on until it forgets connections, as a firewall does that was restarted. */
export async function openStallingProxy(to: pg.PoolConfig): Promise<StallingProxy> {
  const pairs = new Set<{ readonly client: Socket; readonly upstream: Socket; stalled: boolean }>()
  const server = createServer((client) => {
    const upstream = connect(join(to.host ?? '', `.s.PGSQL.${to.port ?? 5432}`))
    const pair = { client, upstream, stalled: false }
    pairs.add(pair)
    for (const [from, into] of [[client, upstream], [upstream, client]] as const) {
      from.on('error', () => undefined)
      from.on('data', (chunk: Buffer) => void (pair.stalled || into.write(chunk)))
      from.on('close', () => {
        if (pair.stalled) return
        into.destroy()
        pairs.delete(pair)
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    connection: { ...to, host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    stall: () => {
      for (const pair of pairs) pair.stalled = true
      return pairs.size
    },
    close: async () => {
      for (const { client, upstream } of pairs) for (const socket of [client, upstream]) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
