import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openFileObjectStore } from '../../../src/adapters/file-store/file-object-store.js'
import { openFileStaging } from '../../../src/adapters/file-store/file-staging.js'
import type { Certificate } from '../../../src/domain/certificate.js'
import { dataHashOf } from '../../../src/domain/certify.js'
import { certificateKeyOf, objectKeyOf } from '../../../src/domain/names.js'
import { partitionKeyOf, type Partition } from '../../../src/domain/partition.js'
import type { CandleEngine } from '../../../src/domain/ports/engine.js'
import type { KeeperCatalog } from '../../../src/domain/ports/keeper-catalog.js'
import type { ObjectStore } from '../../../src/domain/ports/object-store.js'
import { certificateText } from '../../../src/workers/certificate-beside.js'
import { collectGarbage } from '../../../src/workers/gc.js'
import { rebuildCatalog, type Rebuilt, type RebuildPorts } from '../../../src/workers/rebuild-catalog.js'
import { until } from '../../support/cli.js'
import { tempFolder } from '../../support/temp-folder.js'
import { newPartition, openFresh, verifiedAs, type Opened } from '../postgres/catalog-fixture.js'

const DATA = 'the bytes of a month'
const hexOf = (text: string): string => createHash('sha256').update(text).digest('hex')
// Only asked of objects that their certificate does not vouch for.
const engine = { inspect: () => expect.fail('not asked for here') } as unknown as CandleEngine

describe('the catalog rebuilt beside gc', function () {
  this.timeout(60_000)
  let catalog: Opened
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let lake: ObjectStore
  let partition: Partition
  const { signal } = new AbortController()

  beforeEach(async () => {
    ;[catalog, folder, partition] = [await openFresh(), await tempFolder(), newPartition()]
    lake = await openFileObjectStore({ url: join(folder.path, 'lake'), create: true })
    await put(objectKeyOf(partition), DATA)
    await put(certificateKeyOf(partition), certificateText(certificateOf(partition)))
  })
  afterEach(async () => {
    await catalog.drop()
    await folder.remove()
  })

  const put = async (key: string, text: string): Promise<void> => {
    const path = join(folder.path, 'some')
    await writeFile(path, text)
    await lake.put({ key, path, sha256Hex: hexOf(text) })
  }
  const certificateOf = (p: Partition): Certificate => {
    const data = {
      partition: partitionKeyOf(p), numericType: 'double', dataBytes: DATA.length, dataSha256: hexOf(DATA), rows: 744,
      revision: 'r'.repeat(64), sources: [],
    } as unknown as Certificate['data']
    return { ...verifiedAs(p).certificate, data, dataHash: dataHashOf(data) }
  }
  /** Rebuilds, doing something between the last byte read and the row. */
  const rebuilt = async (beforeRow: () => Promise<unknown>): Promise<Rebuilt[]> => {
    const keeper: RebuildPorts['keeper'] = {
      restore: async (...asked) => {
        await beforeRow()
        return await catalog.keeper.restore(...asked)
      },
    }
    const all: Rebuilt[] = []
    const ports = { keeper, lake, engine, numericType: 'double' as const }
    for await (const one of rebuildCatalog(ports, { matches: () => true, dryRun: false, signal })) all.push(one)
    return all
  }
  const collect = async (keeper: KeeperCatalog = catalog.keeper): Promise<unknown> => {
    const staging = await openFileStaging({ url: join(folder.path, 'staging'), create: true })
    const now = (): Date => new Date(Date.now() + 60_000)
    return await collectGarbage({ keeper, staging, lake, now }, { olderThanMs: 1_000, keepRevisions: 1, signal })
  }
  const published = async (): Promise<number> => {
    let rows = 0
    for await (const _ of catalog.keeper.partitions({ published: true })) rows++
    return rows
  }

  it('an object that gc removed after it was read is left out, and no row names it', async () => {
    const [one] = await rebuilt(() => collect())
    expect(await lake.head(objectKeyOf(partition)), 'removed').to.equal(null)
    expect(one).to.include({ outcome: 'left_out', rows: 0, reason: 'it was removed or replaced meanwhile' })
    expect(await published()).to.equal(0)
  })

  it('one that gc is just about to remove is waited for', async () => {
    let [isFreeing, removing] = [false, Promise.resolve<unknown>(null)]
    const slow: KeeperCatalog = {
      ...catalog.keeper,
      whileUnnamed: (p, effect) => catalog.keeper.whileUnnamed(p, async () => {
        isFreeing = true
        await new Promise((resolve) => setTimeout(resolve, 500))
        await effect()
      }),
    }
    const [one] = await rebuilt(async () => {
      removing = collect(slow)
      await until('gc has the lock', () => isFreeing)
    })
    await removing
    expect(one?.outcome).to.equal('left_out')
    expect(await published()).to.equal(0)
  })

  it('one that is taken in first stays', async () => {
    expect((await rebuilt(() => Promise.resolve())).map(({ outcome }) => outcome)).to.deep.equal(['added'])
    await collect()
    expect(await lake.head(objectKeyOf(partition))).to.include({ bytes: DATA.length })
    expect(await published()).to.equal(1)
  })
})
