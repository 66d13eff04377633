import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { openFileObjectStore } from '../../../src/adapters/file-store/file-object-store.js'
import { S3Link } from '../../../src/adapters/s3-store/s3-link.js'
import { openS3ObjectStore } from '../../../src/adapters/s3-store/s3-object-store.js'
import type { App } from '../../../src/cli/app.js'
import { openApp } from '../../../src/compose.js'
import { resolveConfig } from '../../../src/config.js'
import { markerOf } from '../../../src/domain/marker.js'
import { incomingKeyOf, MARKER, objectKeyOf, stagingFolderOf, type ObjectKey } from '../../../src/domain/names.js'
import type { ObjectStore } from '../../../src/domain/ports/object-store.js'
import { ownLake, ownStaging, takeLake } from '../../../src/workers/owner.js'
import { lines } from '../../contract/queue.harness.js'
import { failingWith } from '../../support/failing-with.js'
import { addressOf, freshDatabase } from '../../support/postgres.js'
import { acquireS3, newPrefix, OUR_KEYS, s3Connection } from '../../support/s3.js'
import { startS3Server } from '../../support/s3-server/s3-server.js'
import { tempFolder } from '../../support/temp-folder.js'
import { newPartition, openFresh, planned, published } from '../postgres/catalog-fixture.js'

/** Reconcile sweeps what two periods, that is two seconds, have not changed. */
const QUIET_MS = 2_100

describe('whose a lake is', function () {
  this.timeout(120_000)
  const undo: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    while (undo.length > 0) await undo.pop()?.()
  })
  const folder = async (): Promise<string> => {
    const made = await tempFolder()
    undo.push(() => made.remove())
    return made.path
  }
  const database = async (): Promise<string> => {
    const fresh = await freshDatabase()
    undo.push(() => fresh.drop())
    return addressOf(fresh.connection)
  }

  /** A process with this database, at these places. */
  const open = async (databaseUrl: string, places: Readonly<Record<string, string>>): Promise<App> => {
    const home = await folder()
    const environment = { CANDLELAKE_HOME: home, DATABASE_URL: databaseUrl, RECONCILE_SECONDS: '1', ...places }
    const { config } = await resolveConfig({ flags: {}, environment, dotenv: {}, userHome: home, cores: 2 })
    const app = openApp({ config, log: lines().log, observe: () => undefined })
    undo.push(() => app.close())
    return app
  }
  const idOf = async (app: App): Promise<string> => (await (await app.keeper()).lake())?.catalogId ?? ''

  const inFolders = async (): Promise<Record<string, string>> => {
    const root = await folder()
    return { LAKE_URL: pathToFileURL(join(root, 'lake')).href, STAGING_URL: pathToFileURL(join(root, 'staging')).href }
  }
  const inBuckets = async (): Promise<Record<string, string>> => {
    const s3 = await acquireS3()
    return {
      LAKE_URL: newPrefix(s3), STAGING_URL: newPrefix(s3), S3_ENDPOINT: s3.endpoint, S3_REGION: s3.region,
      S3_ACCESS_KEY_ID: s3.accessKeyId, S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
    }
  }

  for (const [name, places] of [['folders', inFolders], ['buckets', inBuckets]] as const) {
    it(`in ${name} a second database is refused and sweeps nothing, until it takes the lake over as a catalog made anew`, async () => {
      const [at, firstUrl, secondUrl] = [await places(), await database(), await database()]
      const first = await open(firstUrl, at)
      await first.reconcile()
      const [lake, staging] = [await first.lake(), await first.staging()]
      const p = newPartition()
      const [key, dead] = [incomingKeyOf(p, 1, 'dead'), stagingFolderOf(p, 1, 'dead')]
      await put(lake, key, 'of a worker that died')
      const path = join(await staging.scratch(dead), 'x.part')
      await writeFile(path, 'x')
      await staging.keep({ key: `${dead}/x`, path, sha256Hex: sha256('x') })
      await staging.leave(dead)
      await sleep(QUIET_MS)

      const second = await open(secondUrl, at)
      const [one, two] = [await idOf(first), await idOf(second)]
      for (const work of [
        () => second.reconcile(),
        () => second.claimLake(),
        () => second.startWorkers({ stages: ['verify'], concurrency: {} }),
        () => second.garbage({ olderThanMs: 1, signal: new AbortController().signal, remove: false }),
        () => second.garbage({ olderThanMs: 1, signal: new AbortController().signal, remove: true }),
      ]) {
        const refused = await failingWith('LAKE_MISMATCH', work)
        expect(refused.message).to.include(one).and.to.include(two)
        expect(refused.do).to.include('DATABASE_URL').and.to.include('candlelake catalog rebuild')
      }
      expect(await lake.head(key), 'the first one\'s work').to.not.equal(null)
      expect(await foldersOf(staging)).to.deep.equal([dead])

      expect(await second.takeLake({ dryRun: true })).to.equal(one)
      await failingWith('LAKE_MISMATCH', () => second.reconcile())
      expect(await second.takeLake({ dryRun: false })).to.equal(one)
      expect(await second.takeLake({ dryRun: false }), 'it has it').to.equal(null)
      expect((await second.reconcile()).swept).to.include({ folders: 1, objects: 1 })
      expect(await foldersOf(staging)).to.deep.equal([])
      const again = await open(firstUrl, at)
      expect((await failingWith('LAKE_MISMATCH', () => again.reconcile())).message).to.include(one).and.to.include(two)
      const garbage = await second.garbage({ olderThanMs: 1, signal: new AbortController().signal, remove: false })
      expect(garbage.foreign.keys, 'the marker is no stranger').to.deep.equal([])
    })

    it(`in ${name} processes that are first at the same time agree`, async () => {
      const [at, url] = [await places(), await database()]
      const apps = await Promise.all([1, 2, 3, 4].map(() => open(url, at)))
      await Promise.all(apps.map((app) => app.claimLake()))
    })
  }

  it('each of two lakes needs a staging of its own', async () => {
    const [one, other] = [await inFolders(), await inFolders()]
    await (await open(await database(), one)).claimLake()
    const second = await open(await database(), { ...other, STAGING_URL: one['STAGING_URL'] ?? '' })
    const refused = await failingWith('LAKE_MISMATCH', () => second.claimLake())
    expect(refused.at).to.equal(one['STAGING_URL'])
    expect(refused.do).to.include('STAGING_URL')
    await failingWith('LAKE_MISMATCH', () => second.reconcile())
  })

  it('a staging is taken with the lake, and only from a catalog that the lake had', async () => {
    const store = await openFileObjectStore({ url: await folder() })
    const owner = { catalogId: 'mine', numericType: 'double' } as const
    await ownStaging(store, { ...owner, catalogId: 'before' }, markerOf({ ...owner, catalogId: 'before' }))
    await failingWith('LAKE_MISMATCH', () => ownStaging(store, owner, markerOf(owner, ['older'])))
    await ownStaging(store, owner, markerOf(owner, ['older', 'before']))
    await ownStaging(store, owner, markerOf(owner))
  })

  it('a marker that says nothing is left as it is, and nothing is done there', async () => {
    const catalog = await openFresh()
    undo.push(() => catalog.drop())
    const lake = await openFileObjectStore({ url: await folder() })
    await put(lake, MARKER, '{"v":1,"catalog":"../x"}')
    const ports = { keeper: catalog.keeper, lake, owner: { catalogId: 'mine', numericType: 'double' } as const }
    await failingWith('OBJECT_CORRUPT', () => ownLake(ports, { dryRun: false }))
    await failingWith('OBJECT_CORRUPT', () => takeLake(ports, { dryRun: false }))
    expect((await lake.head(MARKER))?.bytes).to.equal(24)
  })

  describe('of a catalog that has published', () => {
    const owner = { catalogId: 'mine', numericType: 'double' } as const
    const filled = async () => {
      const catalog = await openFresh()
      undo.push(() => catalog.drop())
      const partitions = [newPartition(), newPartition()]
      await planned(catalog, partitions)
      for (const p of partitions) await published(catalog, p)
      return { keeper: catalog.keeper, keys: partitions.map(objectKeyOf) }
    }
    /** The same bucket and prefix on two servers. */
    const twoEndpoints = async (): Promise<readonly [right: ObjectStore, wrong: ObjectStore]> => {
      const url = 's3://candles/lake'
      const stores = await Promise.all([1, 2].map(async () => {
        const server = await startS3Server({ keys: { [OUR_KEYS.accessKeyId]: OUR_KEYS.secretAccessKey } })
        const link = new S3Link(s3Connection({ endpoint: server.endpoint, region: 'us-east-1', ...OUR_KEYS }))
        undo.push(() => server.close(), () => link.close())
        await link.client.send(new CreateBucketCommand({ Bucket: 'candles' }))
        return openS3ObjectStore({ url, link })
      }))
      return stores as unknown as readonly [ObjectStore, ObjectStore]
    }

    it('another endpoint with a bucket of the same name is refused, and gets no marker', async () => {
      const { keeper, keys } = await filled()
      const [right, wrong] = await twoEndpoints()
      await put(right, keys[1] ?? '', 'the first one is lost, this one is there')
      for (const work of [ownLake, takeLake]) {
        const refused = await failingWith('LAKE_MISMATCH', () => work({ keeper, lake: wrong, owner }, { dryRun: false }))
        expect(refused.facts).to.include({ looked: 2 })
        expect(refused.do).to.include('S3_ENDPOINT')
      }
      expect(await wrong.head(MARKER)).to.equal(null)
      await ownLake({ keeper, lake: right, owner }, { dryRun: true })
      expect(await right.head(MARKER), 'a dry run writes nothing').to.equal(null)
      await ownLake({ keeper, lake: right, owner }, { dryRun: false })
      expect(await right.head(MARKER), 'a lake of before there were markers').to.not.equal(null)
    })

    it('a lake that it has marked stays its own, whatever is lost there', async () => {
      const { keeper, keys } = await filled()
      const lake = await openFileObjectStore({ url: await folder() })
      for (const key of keys) await put(lake, key, 'x')
      await ownLake({ keeper, lake, owner }, { dryRun: false })
      for (const key of keys) await lake.delete(key)
      await ownLake({ keeper, lake, owner }, { dryRun: false })
    })

    it('a lake of the other numbers is not taken over', async () => {
      const { keeper } = await filled()
      const lake = await openFileObjectStore({ url: await folder() })
      await put(lake, MARKER, JSON.stringify(markerOf({ catalogId: 'other', numericType: 'decimal' })))
      const refused = await failingWith('NUMERIC_TYPE_MISMATCH', () => takeLake({ keeper, lake, owner }, { dryRun: false }))
      expect(refused.do).to.include('NUMERIC_TYPE=decimal')
    })
  })
})

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

async function put(store: ObjectStore, key: ObjectKey, text: string): Promise<void> {
  const scratch = await tempFolder()
  try {
    const path = join(scratch.path, 'x')
    await writeFile(path, text)
    await store.put({ key, path, sha256Hex: sha256(text) })
  } finally {
    await scratch.remove()
  }
}

async function foldersOf(staging: Awaited<ReturnType<App['staging']>>): Promise<string[]> {
  const found: string[] = []
  for await (const { folder } of staging.folders()) found.push(folder)
  return found
}
