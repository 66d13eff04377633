import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { ObjectStore, WrittenObject } from '../../src/domain/ports/object-store.js'
import { failingWith } from '../support/failing-with.js'
import { tempFolder } from '../support/temp-folder.js'

export type OpenStore = { readonly store: ObjectStore; readonly close: () => Promise<void> }
type Put = Parameters<ObjectStore['put']>[0]
type Get = Parameters<ObjectStore['get']>[0]

/** An empty store for each test, a folder for local files, and short ways to write and read. */
export class StoreOnTrial {
  store!: ObjectStore
  scratch = ''
  #files = 0
  #cleanups: (() => Promise<void>)[] = []

  async begin(open: () => Promise<OpenStore>): Promise<void> {
    const { store, close } = await open()
    const folder = await tempFolder()
    this.store = store
    this.scratch = folder.path
    this.#cleanups = [close, () => folder.remove()]
  }

  async end(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0)) await cleanup()
  }

  /** A local file with this content, and its digest. */
  async file(content: string | Buffer): Promise<{ path: string; sha256Hex: string }> {
    const path = join(this.scratch, `f${this.#files++}`)
    await writeFile(path, content)
    return { path, sha256Hex: createHash('sha256').update(content).digest('hex') }
  }

  async put(key: string, content: string | Buffer, more: Pick<Put, 'condition'> = {}): Promise<WrittenObject> {
    return this.store.put({ key, ...(await this.file(content)), ...more })
  }

  async read(key: string, more: Omit<Get, 'key'> = {}): Promise<string> {
    return (await bytesOf(await this.store.get({ key, ...more }))).toString('utf8')
  }

  async keys(prefix = ''): Promise<string[]> {
    return (await all(this.store.list(prefix))).map((info) => info.key)
  }
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

export async function bytesOf(stream: Readable): Promise<Buffer> {
  return Buffer.concat((await all(stream)) as Buffer[])
}

/** The places of those that were let through; every other one must have failed by its condition. */
export async function winners(tries: readonly Promise<unknown>[]): Promise<number[]> {
  const outcomes = await Promise.allSettled(tries)
  for (const o of outcomes) {
    if (o.status === 'rejected') await failingWith('PRECONDITION_FAILED', Promise.reject(o.reason as Error))
  }
  return outcomes.flatMap((o, n) => (o.status === 'fulfilled' ? [n] : []))
}
