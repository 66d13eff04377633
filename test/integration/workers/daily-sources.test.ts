import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { openEngine } from '../../../src/adapters/engine/engine-pool.js'
import { dailyKeyOf } from '../../../src/domain/archive-names.js'
import { certificateKeyOf } from '../../../src/domain/names.js'
import type { JobQueue } from '../../../src/domain/ports/job-queue.js'
import type { Job } from '../../../src/domain/ports/plan-catalog.js'
import { STAGES } from '../../../src/domain/states.js'
import { writeKlineFile } from '../../../src/archive-server/kline-file.js'
import { startArchiveServer } from '../../../src/archive-server/server.js'
import { syntheticCandles } from '../../../src/archive-server/synthetic-candles.js'
import { runStage } from '../../../src/workers/run-stage.js'
import { tempFolder } from '../../support/temp-folder.js'
import { newPartition, openFresh, rowOf, wantedSource } from '../postgres/catalog-fixture.js'
import { stagePorts } from './stage-fixture.js'

const HOUR_MS = 3_600_000
const DAYS = ['2024-01-01', '2024-01-02', '2024-01-03']

type Certificate = {
  readonly verdict: string
  readonly data: {
    readonly rows: number; readonly expectedRows: number; readonly missingRows: number
    readonly sources: readonly { readonly key: string }[]
  }
  readonly gaps: readonly { readonly fromUs: string; readonly missing: number }[]
}

describe('a month of which the archive has three daily files', function () {
  this.timeout(60_000)

  it('goes through all stages as one partition, and its certificate names the three and what is missing', async () => {
    const undo: (() => Promise<unknown>)[] = []
    try {
      const home = await tempFolder()
      undo.push(() => home.remove())
      const root = join(home.path, 'root')
      await mkdir(join(root, 'data'), { recursive: true })
      const server = await startArchiveServer({ root })
      undo.push(() => server.close())
      const catalog = await openFresh()
      undo.push(() => catalog.drop())
      const engine = openEngine({ slots: 1, memoryBytes: 512 * 1024 ** 2, tempBytes: 1024 ** 3 })
      undo.push(() => engine.close())
      const partition = newPartition()
      for (const [i, label] of DAYS.entries()) {
        const fromMs = Date.parse(label)
        const rows = syntheticCandles({ seed: i + 1, fromMs, toMs: fromMs + 24 * HOUR_MS, stepMs: HOUR_MS, unit: 'ms' })
        await writeKlineFile({ root, market: 'spot', period: 'daily', symbol: partition.symbol, interval: '1h', label, rows })
      }
      const enqueued: Job[] = []
      const unused = (): never => expect.fail('not asked for')
      const queue: JobQueue = {
        enqueue: (jobs) => (enqueued.push(...jobs), Promise.resolve()),
        counts: unused, failures: unused, alive: unused, ping: unused, close: unused,
      }
      const { ports, close } = await stagePorts({ archiveUrl: server.url, scratch: home.path, catalog: catalog.stage, queue, engine })
      undo.push(close)
      const run = await catalog.plan.createRun({ kind: 'backfill', request: {} })
      const sources = DAYS.map((day) => ({ ...wantedSource(partition), key: dailyKeyOf(partition, day), bytes: null, etag: null }))
      const decision = { kind: 'start', from: null, reason: 'new' } as const
      await catalog.plan.apply({ run, decisions: [{ wanted: { partition, sources, bounds: null }, decision }] })

      for (const stage of STAGES) {
        const job = { stage, partition, generation: 1, kind: 'backfill', attempt: 0, lastAttempt: true, waitSeconds: 0 } as const
        const directive = await runStage(job, ports, new AbortController().signal)
        expect(directive, stage).to.deep.equal({ kind: 'done', outcome: 'ok' })
      }

      expect(enqueued.map(({ stage }) => stage)).to.deep.equal(['convert', 'upload', 'verify'])
      expect(await rowOf(catalog, partition)).to.deep.include({ state: 'verified', published_rows: 72 })
      const certificate = JSON.parse(readFileSync(join(home.path, 'lake', certificateKeyOf(partition)), 'utf8')) as Certificate
      expect(certificate.data.sources.map(({ key }) => key)).to.deep.equal(DAYS.map((day) => dailyKeyOf(partition, day)))
      expect(certificate.data).to.include({ rows: 72, expectedRows: 744, missingRows: 672 })
      expect(certificate.gaps.map(({ missing }) => Number(missing))).to.deep.equal([672])
    } finally {
      for (const one of undo.reverse()) await one()
    }
  })
})
