import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findRedis } from './redis-program.js'
import { shared } from './shared.js'

/** A Redis that a test may stop and start; its data survives a restart only with `appendOnly`. */
export type TestRedis = {
  readonly url: string
  readonly port: number
  /** SIGKILL. */
  kill9(): Promise<void>
  /** Starts it again on the same port, over what it left on disk. */
  restart(): Promise<void>
  /** Ends it and removes its files. */
  stop(): Promise<void>
}

export type RedisSettings = {
  /** Every write is on disk before it is answered. */
  readonly appendOnly?: boolean
  /** Above this many bytes writes are refused. */
  readonly maxMemoryBytes?: number
}

/** The Redis that all tests of this run share, and a key prefix for nobody else. */
export async function acquireRedis(): Promise<{ readonly url: string; readonly prefix: string }> {
  const url = process.env['TEST_REDIS_URL'] ?? (await shared('redis', async () => {
    const server = await startRedis()
    return { value: server.url, stop: () => server.stop() }
  }))
  return { url, prefix: `test-${randomBytes(6).toString('hex')}` }
}

/** A Redis of the caller's own, in a temporary folder, on a free port of this machine. */
export async function startRedis(settings: RedisSettings = {}): Promise<TestRedis> {
  const found = findRedis()
  const port = await freePort()
  const args = [
    '--save', '', '--appendonly', settings.appendOnly ? 'yes' : 'no', '--appendfsync', 'always',
    '--maxmemory', String(settings.maxMemoryBytes ?? 0), '--maxmemory-policy', 'noeviction',
  ]
  const server = found.kind === 'docker' ? await inDocker(port, args) : asProcess(found.path, port, args)
  await server.restart()
  return { url: `redis://127.0.0.1:${port}`, port, ...server }
}

type Handle = Pick<TestRedis, 'kill9' | 'restart' | 'stop'>

function asProcess(path: string, port: number, settings: readonly string[]): Handle {
  const dir = mkdtempSync(join(tmpdir(), 'candlelake-redis-'))
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--daemonize', 'no', ...settings]
  let child: ChildProcess | null = null
  const end = async (): Promise<void> => {
    const ending = child
    child = null
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return
    const gone = new Promise((resolve) => ending.once('exit', resolve))
    ending.ref()
    ending.kill('SIGKILL')
    await gone
  }
  const remove = (): void => rmSync(dir, { recursive: true, force: true })
  const atExit = (): void => {
    child?.kill('SIGKILL')
    remove()
  }
  process.once('exit', atExit)
  return {
    kill9: end,
    async restart() {
      await end()
      child = spawn(path, args, { stdio: 'ignore' })
      child.unref()
      await answers(port)
    },
    async stop() {
      process.removeListener('exit', atExit)
      await end()
      remove()
    },
  }
}

async function inDocker(port: number, settings: readonly string[]): Promise<Handle> {
  // Loaded only here: it takes half a second.
  const { GenericContainer, getContainerRuntimeClient } = await import('testcontainers')
  const started = await new GenericContainer('redis:7-alpine')
    .withExposedPorts({ container: 6379, host: port })
    .withCommand(['redis-server', ...settings])
    .start()
  const container = (await getContainerRuntimeClient()).container.getById(started.getId())
  let isRunning = true
  return {
    async kill9() {
      await container.kill({ signal: 'SIGKILL' })
      isRunning = false
    },
    async restart() {
      if (!isRunning) await container.start()
      isRunning = true
      await answers(port)
    },
    stop: () => started.stop().then(() => undefined),
  }
}

async function answers(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if ((await ask(port)).startsWith('+PONG')) return
    await sleep(50)
  }
  throw new Error(`Redis does not answer on port ${port}`)
}

function ask(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    const end = (answer: string): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(1_000, () => end(''))
    socket.once('data', (data) => end(String(data)))
    socket.once('error', () => end(''))
  })
}

/** A port that nobody listened on a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
