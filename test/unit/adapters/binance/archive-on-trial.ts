import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openArchive, type ArchiveOptions } from '../../../../src/adapters/binance/archive-client.js'
import type { FaultRule } from '../../../../src/archive-server/fault-rule.js'
import type { Fetched } from '../../../../src/domain/ports/archive.js'
import { serveArchive, type ServedArchive } from '../../../support/served-archive.js'

export const KEY = 'data/spot/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2024-01.zip'

type Request = { key?: string; signal?: AbortSignal; onBytes?: (count: number) => void }

/** A client of an archive server, with short timeouts; what each test needs and what it leaves to close. */
export class ArchiveOnTrial {
  served!: ServedArchive
  #closing: (() => Promise<void>)[] = []

  async begin(): Promise<void> {
    this.served = await serveArchive()
    this.#closing = [() => this.served.close()]
  }

  async end(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close()
  }

  faults(rules: FaultRule | readonly FaultRule[]): void {
    this.served.server.faults.set(rules)
  }

  alsoClose(close: () => Promise<void>): void {
    this.#closing.push(close)
  }

  get path(): string {
    return join(this.served.scratch, 'fetched.part')
  }

  fetch(o: Partial<ArchiveOptions> & Request = {}): Promise<Fetched> {
    const { key = KEY, signal = new AbortController().signal, onBytes, ...options } = o
    const client = openArchive({
      archiveUrl: this.served.server.url,
      maxBytes: 100_000_000,
      userAgent: 'candlelake/test',
      timeouts: { connectMs: 2_000, headersMs: 2_000, bodyIdleMs: 2_000 },
      ...options,
    })
    this.alsoClose(() => client.close())
    const wanted = { key, bytes: null, etag: null, lastModified: null }
    return client.fetch({ wanted, path: this.path, signal, ...(onBytes ? { onBytes } : {}) })
  }

  /** What lies at the path that was fetched to. */
  written(): Promise<Buffer> {
    return readFile(this.path)
  }
}
