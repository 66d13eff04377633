import { Redis } from 'ioredis'

/** Removes everything that a Redis of the bench's own holds. */
export async function emptyRedis(url: string): Promise<void> {
  await withRedis(url, (client) => client.flushall())
}

/** Bytes that a Redis holds, by its own account. */
export async function redisBytes(url: string): Promise<number> {
  return withRedis(url, async (client) => Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1] ?? NaN))
}

async function withRedis<T>(url: string, ask: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url)
  try {
    return await ask(client)
  } finally {
    client.disconnect()
  }
}
