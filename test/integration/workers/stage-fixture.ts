import { join } from 'node:path'
import { openArchive } from '../../../src/adapters/binance/archive-client.js'
import { openFileObjectStore } from '../../../src/adapters/file-store/file-object-store.js'
import { openFileQuarantine } from '../../../src/adapters/file-store/file-quarantine.js'
import { openFileStaging } from '../../../src/adapters/file-store/file-staging.js'
import type { CandleEngine } from '../../../src/domain/ports/engine.js'
import type { JobQueue } from '../../../src/domain/ports/job-queue.js'
import type { StageCatalog } from '../../../src/domain/ports/stage-catalog.js'
import type { Ports } from '../../../src/workers/stage.js'

/**
 * What a stage needs, over folders in `scratch` and a real archive client and catalog. The queue is the test's own, to
 * see what is handed on. `close` closes the client; the rest is the caller's.
 */
export async function stagePorts(o: {
  archiveUrl: string; scratch: string; catalog: StageCatalog; queue: JobQueue; engine: CandleEngine
}): Promise<{ readonly ports: Ports; readonly close: () => Promise<void> }> {
  const client = openArchive({ archiveUrl: o.archiveUrl, maxBytes: 1 << 20, userAgent: 'test' })
  const nothing = (): void => undefined
  const ports: Ports = {
    workerId: 'w1', catalog: o.catalog, queue: o.queue, archive: client, engine: o.engine,
    staging: await openFileStaging({ url: join(o.scratch, 'staging'), create: true }),
    quarantine: await openFileQuarantine({ url: join(o.scratch, 'quarantine'), create: true, maxBytes: 1 << 20 }),
    lake: await openFileObjectStore({ url: join(o.scratch, 'lake'), create: true }),
    observe: nothing, log: { debug: nothing, info: nothing, warn: nothing, error: nothing }, pass: nothing,
    now: () => new Date(),
    settings: {
      parquet: { numericType: 'double', codec: 'zstd', level: 3, dataPages: 'v2' },
      lateDays: 45, keepRevisions: 0, stagingMaxBytes: 1 << 30, leaseMs: 60_000,
    },
  }
  return { ports, close: () => client.close() }
}
