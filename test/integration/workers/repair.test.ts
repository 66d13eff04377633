import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openFileObjectStore } from '../../../src/adapters/file-store/file-object-store.js'
import { openFileStaging } from '../../../src/adapters/file-store/file-staging.js'
import { PipelineError } from '../../../src/domain/errors.js'
import { objectKeyOf } from '../../../src/domain/names.js'
import type { JobQueue } from '../../../src/domain/ports/job-queue.js'
import type { ObjectStore } from '../../../src/domain/ports/object-store.js'
import type { Job } from '../../../src/domain/ports/plan-catalog.js'
import { reconcileEvery } from '../../../src/workers/reconcile.js'
import { repairPublished } from '../../../src/workers/repair.js'
import { until } from '../../support/cli.js'
import { tempFolder } from '../../support/temp-folder.js'
import { newPartition, openFresh, planned, published, type Opened } from '../postgres/catalog-fixture.js'

const unused = (): never => expect.fail('not asked for in these tests')

describe('published objects compared with the catalog', function () {
  this.timeout(60_000)
  let catalog: Opened
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let lake: ObjectStore
  let enqueued: Job[]

  before(async () => {
    catalog = await openFresh()
    await catalog.keeper.adoptLake({ url: 'file:///lake', numericType: 'double' })
    folder = await tempFolder()
    lake = await openFileObjectStore({ url: join(folder.path, 'lake'), create: true })
  })
  beforeEach(() => (enqueued = []))
  after(async () => {
    await catalog.drop()
    await folder.remove()
  })

  const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
  const queue: JobQueue = {
    enqueue: (jobs) => {
      enqueued.push(...jobs)
      return Promise.resolve()
    },
    alive: (rows) => Promise.resolve(rows),
    counts: unused, failures: unused, ping: unused, close: unused,
  }
  const put = async (key: string, text: string): Promise<void> => {
    const path = join(folder.path, 'some')
    await writeFile(path, text)
    await lake.put({ key, path, sha256Hex: createHash('sha256').update(text).digest('hex') })
  }
  /** Does something before the first look at an object, as another worker would while a page of rows is gone through. */
  const meanwhile = (doing: () => Promise<unknown>): ObjectStore => {
    let done: Promise<unknown> | undefined
    return Object.assign(Object.create(lake) as ObjectStore, {
      head: async (key: string) => {
        await (done ??= doing())
        return await lake.head(key)
      },
      get: lake.get.bind(lake),
    })
  }

  it('one that is published anew meanwhile is no drift; other bytes at rest are, and are done again', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    await published(catalog, partition)
    await put(objectKeyOf(partition), 'the first')
    const anew = async (): Promise<void> => {
      await planned(catalog, [partition], { force: true })
      await published(catalog, partition, { generation: 2, revision: 's'.repeat(64) })
      await put(objectKeyOf(partition), 'the second')
    }
    const ports = { ...catalog, log, queue }
    expect((await repairPublished({ ...ports, lake: meanwhile(anew) }, null)).restarted).to.equal(0)
    expect(enqueued).to.deep.equal([])
    expect((await repairPublished({ ...ports, lake }, null)).restarted, 'bytes of nobody').to.equal(1)
    expect(enqueued.map(({ stage, generation }) => ({ stage, generation }))).to.deep.equal([{ stage: 'download', generation: 3 }])
  })

  it('what changed while the store was away is compared when it is back', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    await published(catalog, partition)
    await put(objectKeyOf(partition), 'of nobody')
    const [periodMs, away] = [300, Object.assign(Object.create(lake) as ObjectStore, { head: lake.head.bind(lake), get: lake.get.bind(lake) })]
    let refused = 0
    away.list = (prefix) => {
      if (refused >= 4) return lake.list(prefix)
      refused++
      throw new PipelineError('STORE_UNREACHABLE', 'away')
    }
    away.sweep = () => Promise.resolve(0)
    const staging = await openFileStaging({ url: join(folder.path, 'staging'), create: true })
    const stop = new AbortController()
    const running = reconcileEvery({ ...catalog, lake: away, staging, queue, log, now: () => new Date() }, periodMs, stop.signal)
    await until('it is done again', () => enqueued.length > 0, 10_000).finally(() => stop.abort())
    await running
    expect(refused).to.equal(4)
    expect(enqueued.map(({ partition: { symbol } }) => symbol)).to.deep.equal([partition.symbol])
  })
})
