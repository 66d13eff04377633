import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request, type IncomingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import {
  startArchiveServer, type ArchiveServer, type ArchiveServerOptions,
} from '../../../src/archive-server/server.js'

/** What came back: `ended` is false where the connection broke before Content-Length was reached. */
export type Answer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly text: string
  readonly ended: boolean
}

export type Ask = {
  readonly method?: string
  readonly headers?: Record<string, string>
  /** Give up, keeping what came, when, after the status line, no byte came for so long. */
  readonly idleMs?: number
}

/** A served temporary folder, and a client that sends targets as they are (fetch would resolve `..`). */
export type ArchiveUnderTest = {
  readonly root: string
  readonly server: ArchiveServer
  readonly put: (key: string, content: string | Buffer) => Promise<string>
  readonly ask: (target: string, o?: Ask) => Promise<Answer>
  readonly close: () => Promise<void>
}

export async function archiveUnderTest(o: Partial<ArchiveServerOptions> = {}): Promise<ArchiveUnderTest> {
  const root = o.root ?? (await temporaryFolder())
  await mkdir(join(root, 'data'), { recursive: true })
  const server = await startArchiveServer({ ...o, root })
  return {
    root,
    server,
    async put(key, content) {
      const path = join(root, key)
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, content)
      return path
    },
    ask: (target, ask = {}) => send(server.port, target, ask),
    async close() {
      await server.close()
      await rm(root, { recursive: true, force: true })
    },
  }
}

export const temporaryFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'candlelake-archive-'))

function send(port: number, path: string, { method = 'GET', headers = {}, idleMs = 0 }: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (res) => {
      const chunks: Buffer[] = []
      if (idleMs > 0) req.setTimeout(idleMs, () => res.destroy())
      res.on('data', (chunk: Buffer) => chunks.push(chunk))
      res.on('error', () => null)
      res.on('close', () => {
        const body = Buffer.concat(chunks)
        resolve({ status: res.statusCode ?? 0, headers: res.headers, body, text: body.toString(), ended: res.complete })
      })
    })
    req.on('error', reject)
    req.end()
  })
}
