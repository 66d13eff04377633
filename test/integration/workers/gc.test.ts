import { expect } from 'chai'
import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { openFileObjectStore } from '../../../src/adapters/file-store/file-object-store.js'
import { openFileStaging } from '../../../src/adapters/file-store/file-staging.js'
import { certificateKeyOf, incomingKeyOf, objectKeyOf, revisionKeyOf, stagingFolderOf } from '../../../src/domain/names.js'
import { partitionKeyOf, type Partition } from '../../../src/domain/partition.js'
import type { ObjectStore } from '../../../src/domain/ports/object-store.js'
import { PipelineError } from '../../../src/domain/errors.js'
import { collectGarbage, surveyGarbage, type GarbageReport, type GcOptions } from '../../../src/workers/gc.js'
import { tempFolder } from '../../support/temp-folder.js'
import { advancedTo, claimed, newPartition, openFresh, planned, published, type Opened } from '../postgres/catalog-fixture.js'

const HOUR_MS = 3_600_000

describe('gc', () => {
  let catalog: Opened
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let lake: ObjectStore
  let ports: Parameters<typeof surveyGarbage>[0]

  beforeEach(async () => {
    catalog = await openFresh()
    folder = await tempFolder()
    lake = await openFileObjectStore({ url: join(folder.path, 'lake'), create: true })
    const staging = await openFileStaging({ url: join(folder.path, 'staging'), create: true })
    ports = { keeper: catalog.keeper, staging, lake, now: () => new Date() }
  })
  afterEach(async () => {
    await catalog.drop()
    await folder.remove()
  })

  const options = (o: Partial<GcOptions> = {}): GcOptions =>
    ({ olderThanMs: HOUR_MS, keepRevisions: 1, signal: new AbortController().signal, ...o })
  /** A file of so many hours. */
  const file = async (root: 'lake' | 'staging', key: string, hours = 2): Promise<string> => {
    const path = join(folder.path, root, key)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, key)
    await aged(path, hours)
    return key
  }
  const aged = (path: string, hours: number): Promise<void> => {
    const at = Date.now() / 1_000 - hours * 3_600
    return utimes(path, at, at)
  }
  const shown = async (p: Partition, hours = 2): Promise<void> => {
    await file('lake', objectKeyOf(p), hours)
    await file('lake', certificateKeyOf(p), hours)
  }
  const keys = async (): Promise<string[]> => {
    const found: string[] = []
    for await (const { key } of lake.list('')) found.push(key)
    return found
  }
  const counts = ({ kinds }: GarbageReport): Record<string, number> =>
    Object.fromEntries(Object.entries(kinds).filter(([, { objects }]) => objects > 0).map(([kind, { objects }]) => [kind, objects]))
  /** A partition that the catalog shows, with its object in the lake. */
  const stored = async (): Promise<Partition> => {
    const p = newPartition()
    await planned(catalog, [p])
    await published(catalog, p)
    await shown(p)
    return p
  }

  it('removes what no row names and is old enough, and nothing else; foreign files are told and left', async () => {
    const here = await stored()
    const [gone, young] = [newPartition(), newPartition()]
    await shown(gone)
    await shown(young, 0.5)
    const onItsWay = newPartition()
    await planned(catalog, [onItsWay])
    await shown(onItsWay)
    const kept = [
      objectKeyOf(here), certificateKeyOf(here), objectKeyOf(young), certificateKeyOf(young), objectKeyOf(onItsWay), certificateKeyOf(onItsWay),
      await file('lake', revisionKeyOf(here, 'a'.repeat(16)), 3),
      await file('lake', 'notes/readme.txt'), await file('lake', `${here.dataset}/strange.parquet`), await file('lake', '_incoming/what.bin'),
    ]
    const removed = [
      objectKeyOf(gone), certificateKeyOf(gone),
      await file('lake', revisionKeyOf(here, 'b'.repeat(16)), 4),
      await file('lake', incomingKeyOf(here, 1, 'dead')),
    ]
    await file('staging', `${stagingFolderOf(here, 1, 'dead')}/source-0.zip`)
    await aged(join(folder.path, 'staging', stagingFolderOf(here, 1, 'dead')), 2)
    expect((await keys()).sort()).to.deep.equal([...kept, ...removed].sort())

    const survey = await surveyGarbage(ports, options())
    expect(counts(survey)).to.deep.equal({ staging: 1, incoming: 1, revision: 1, data: 1, certificate: 1 })
    expect(survey.foreign.keys).to.have.members(['notes/readme.txt', `${here.dataset}/strange.parquet`, '_incoming/what.bin'])
    expect(survey.unfinished).to.equal(null)
    expect(await keys(), 'a survey changes nothing').to.have.length(kept.length + removed.length)

    const report = await collectGarbage(ports, options())
    expect({ ...report, unfinished: null }).to.deep.equal(survey)
    expect((await keys()).sort()).to.deep.equal(kept.sort())
    expect(counts(await collectGarbage(ports, options()))).to.deep.equal({})
  })

  it('keeps what an execution under way refers to, however old it is', async () => {
    const p = newPartition()
    await planned(catalog, [p])
    await advancedTo(catalog, p, 'verify')
    const claim = await claimed(catalog, 'verify', p)
    const { downloaded, uploaded } = claim.work
    const folders = [downloaded?.folder ?? '', stagingFolderOf(p, 1, claim.token)]
    for (const one of folders) await file('staging', `${one}/x`)
    for (const one of folders) await aged(join(folder.path, 'staging', one), 2)
    await file('lake', uploaded?.key ?? '')
    await shown(p)
    expect(counts(await collectGarbage(ports, options()))).to.deep.equal({})
  })

  it('removes unfinished writes that are old enough', async () => {
    const at = join(folder.path, 'lake', '.tmp')
    await mkdir(at)
    await writeFile(join(at, 'old.part'), 'x')
    await writeFile(join(at, 'new.part'), 'x')
    await aged(join(at, 'old.part'), 2)
    expect((await collectGarbage(ports, options())).unfinished).to.equal(1)
  })

  it('a catalog that names less than half of the lake is refused: it is the catalog that lacks something', async () => {
    await stored()
    for (let i = 0; i < 2; i++) await shown(newPartition())
    const thrown: unknown = await surveyGarbage(ports, options()).catch((error: unknown) => error)
    expect(thrown).to.be.instanceOf(PipelineError)
    expect((thrown as PipelineError).code).to.equal('CATALOG_INCOMPLETE')
    expect((thrown as PipelineError).facts).to.include({ named: 1, unnamed: 2 })
    expect((thrown as PipelineError).do).to.include('catalog rebuild')
  })

  it('an object whose partition is planned and published while gc looks away is not removed', async () => {
    const here = await stored()
    const p = newPartition()
    await shown(p)
    // The plan comes after the survey of its batch has said that nothing names it.
    const keeper = {
      ...catalog.keeper,
      whileUnnamed: async (partition: Partition, effect: () => Promise<void>): Promise<boolean> => {
        if (partitionKeyOf(partition) === partitionKeyOf(p)) await planned(catalog, [p])
        return await catalog.keeper.whileUnnamed(partition, effect)
      },
    }
    expect(counts(await collectGarbage({ ...ports, keeper }, options()))).to.deep.equal({})
    expect(await keys()).to.include.members([objectKeyOf(p), objectKeyOf(here)])
  })

  it('nobody can plan or publish a partition while its name is being freed', async () => {
    const p = newPartition()
    const order: string[] = []
    let plan: Promise<unknown> = Promise.resolve()
    const freed = await catalog.keeper.whileUnnamed(p, async () => {
      plan = planned(catalog, [p]).then(() => order.push('planned'))
      await new Promise((resolve) => setTimeout(resolve, 300))
      order.push('freed')
    })
    await plan
    expect(freed).to.equal(true)
    expect(order).to.deep.equal(['freed', 'planned'])
    expect(await catalog.keeper.whileUnnamed(p, () => Promise.reject(new Error('it was run')))).to.equal(false)
  })
})
