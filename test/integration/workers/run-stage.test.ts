import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { monthlyKeyOf } from '../../../src/domain/archive-names.js'
import { PipelineError } from '../../../src/domain/errors.js'
import { stagingFolderOf } from '../../../src/domain/names.js'
import type { Partition } from '../../../src/domain/partition.js'
import type { JobQueue } from '../../../src/domain/ports/job-queue.js'
import type { Job } from '../../../src/domain/ports/plan-catalog.js'
import { runStage } from '../../../src/workers/run-stage.js'
import type { PartitionJob, Ports } from '../../../src/workers/stage.js'
import { serveArchive, type ServedArchive } from '../../support/served-archive.js'
import { advancedTo, advanceOf, claimed, newPartition, openFresh, rowOf, type Opened } from '../postgres/catalog-fixture.js'
import { stagePorts } from './stage-fixture.js'

const never = new AbortController().signal
const unused = (): never => expect.fail('not asked for in these tests')

describe('a stage run by a worker', function () {
  this.timeout(60_000)
  let catalog: Opened
  let archive: ServedArchive
  let closeClient: () => Promise<void>
  let ports: Ports
  let enqueued: Job[]
  let queueIsDown: boolean
  let partition: Partition

  before(async () => {
    catalog = await openFresh()
    archive = await serveArchive()
    const queue: JobQueue = {
      enqueue: (jobs) => {
        if (queueIsDown) return Promise.reject(new PipelineError('QUEUE_UNREACHABLE', 'refused'))
        enqueued.push(...jobs)
        return Promise.resolve()
      },
      counts: unused, failures: unused, alive: unused, ping: unused, close: unused,
    }
    const opened = await stagePorts({
      archiveUrl: archive.server.url, scratch: archive.scratch, catalog: catalog.stage, queue,
      engine: { convert: unused, inspect: unused, close: unused },
    })
    ports = opened.ports
    closeClient = opened.close
  })

  beforeEach(async () => {
    enqueued = []
    queueIsDown = false
    partition = newPartition()
    await archive.putZip(monthlyKeyOf(partition), 5_000)
    const run = await catalog.plan.createRun({ kind: 'backfill', request: {} })
    const decision = { kind: 'start', from: null, reason: 'new' } as const
    await catalog.plan.apply({ run, decisions: [{ wanted: { partition, sources: [], bounds: null }, decision }] })
  })

  after(async () => {
    await closeClient()
    await archive.close()
    await catalog.drop()
  })

  const job = (stage: PartitionJob['stage'], generation = 1): PartitionJob =>
    ({ stage, partition, generation, kind: 'backfill', attempt: 0, lastAttempt: false, waitSeconds: 0 })
  const stagedFile = async (): Promise<string> => {
    const { work } = (await rowOf(catalog, partition)) as { work: { downloaded?: { files: { key: string }[] } } }
    return join(archive.scratch, 'staging', work.downloaded?.files[0]?.key ?? 'none')
  }

  it('hands its partition on and keeps its files when the queue was away after the commit', async () => {
    queueIsDown = true
    const first = await runStage(job('download'), ports, never)
    expect(first).to.deep.include({ kind: 'delay', code: 'QUEUE_UNREACHABLE' })
    expect(existsSync(await stagedFile()), 'the committed file').to.equal(true)
    queueIsDown = false
    expect(await runStage(job('download'), ports, never)).to.deep.equal({ kind: 'done', outcome: 'skipped' })
    expect(enqueued.map(({ stage, generation }) => `${stage} ${generation}`)).to.deep.equal(['convert 1'])
    expect(archive.asked(monthlyKeyOf(partition)), 'downloads').to.have.length(1)
  })

  it('starts a partition over whose staged files are gone, five times and no more', async () => {
    const { rm } = await import('node:fs/promises')
    for (let generation = 1; generation <= 6; generation++) {
      expect(await runStage(job('download', generation), ports, never)).to.deep.equal({ kind: 'done', outcome: 'ok' })
      await rm(await stagedFile())
      const directive = await runStage(job('convert', generation), ports, never)
      if (generation <= 5) expect(directive, `generation ${generation}`).to.deep.equal({ kind: 'done', outcome: 'retry' })
      else expect(directive.kind).to.equal('fail')
    }
    expect(await rowOf(catalog, partition)).to.deep.include({ state: 'failed', generation: 6, code: 'STAGING_LOST' })
  })

  it('starts a partition over whose converted file has other bytes of the same length', async () => {
    await advancedTo(catalog, partition, 'convert')
    const claim = await claimed(catalog, 'convert', partition)
    const folder = stagingFolderOf(partition, claim.generation, claim.token)
    const path = join(await ports.staging.scratch(folder), 'data.parquet')
    await writeFile(path, 'converted')
    const sha256Hex = createHash('sha256').update('converted').digest('hex')
    const file = await ports.staging.keep({ key: `${folder}/data.parquet`, path, sha256Hex })
    const advance = advanceOf(claim)
    if (advance.stage !== 'convert') return expect.fail(advance.stage)
    await catalog.stage.commit(claim, { stage: 'convert', converted: { ...advance.converted, folder, file } })
    await writeFile(join(archive.scratch, 'staging', file.key), 'corrupted')

    expect(await runStage(job('upload'), ports, never)).to.deep.equal({ kind: 'done', outcome: 'retry' })
    expect(await rowOf(catalog, partition)).to.deep.include({ state: 'planned', generation: 2, code: 'STAGING_LOST' })
    expect(enqueued.map(({ stage, generation }) => `${stage} ${generation}`)).to.deep.equal(['download 2'])
  })

  it('does nothing for a job whose generation is over, and leaves the files of the newer one', async () => {
    await runStage(job('download'), ports, never)
    const file = await stagedFile()
    expect(await runStage(job('download', 7), ports, never)).to.deep.equal({ kind: 'done', outcome: 'fenced' })
    expect(existsSync(file)).to.equal(true)
  })
})
