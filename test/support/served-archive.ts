import { createHash } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { LoggedRequest } from '../../src/archive-server/exchange.js'
import type { FaultRule } from '../../src/archive-server/fault-rule.js'
import { startArchiveServer, type ArchiveServer } from '../../src/archive-server/server.js'
import { tempFolder } from './temp-folder.js'

/** A running archive server over a new folder, whose files a test puts there. */
export type ServedArchive = {
  readonly server: ArchiveServer
  /** A folder beside the served one. */
  readonly scratch: string
  put(key: string, content: string | Buffer): Promise<void>
  /** A ZIP-like file of so many bytes with its CHECKSUM; `seed` makes its content another. */
  putZip(key: string, bytes: number, seed?: number): Promise<{ sha256Hex: string; content: Buffer }>
  /** The requests of one key so far. */
  asked(key: string): LoggedRequest[]
  close(): Promise<void>
}

export async function serveArchive(faults: FaultRule | readonly FaultRule[] = []): Promise<ServedArchive> {
  const home = await tempFolder()
  const root = join(home.path, 'root')
  await mkdir(join(root, 'data'), { recursive: true })
  const scratch = join(home.path, 'scratch')
  await mkdir(scratch)
  const server = await startArchiveServer({ root, faults })
  const put = async (key: string, content: string | Buffer): Promise<void> => {
    await mkdir(dirname(join(root, key)), { recursive: true })
    await writeFile(join(root, key), content)
  }
  return {
    server,
    scratch,
    put,
    async putZip(key, bytes, seed = 1) {
      const content = zipLike(bytes, seed)
      const sha256Hex = createHash('sha256').update(content).digest('hex')
      await put(key, content)
      await put(`${key}.CHECKSUM`, `${sha256Hex}  ${key.slice(key.lastIndexOf('/') + 1)}`)
      return { sha256Hex, content }
    },
    asked: (key) => server.requests.filter((request) => request.path === `/${key}`),
    async close() {
      await server.close()
      await rm(home.path, { recursive: true, force: true })
    },
  }
}

/** Bytes that begin as a ZIP does and do not repeat soon: a piece that is lost or sent twice changes their digest. */
export function zipLike(bytes: number, seed: number): Buffer {
  const content = Buffer.alloc(bytes)
  let state = seed >>> 0 || 1
  for (let at = 0; at < bytes; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    content[at] = state >>> 24
  }
  content.write('PK\x03\x04', 'latin1')
  return content
}
