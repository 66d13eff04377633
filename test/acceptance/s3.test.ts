import { expect } from 'chai'
import { sampleArchive, type Sample } from '../support/archive.js'
import {
  filesBelow, lastJson, runCli, startCli, summaryOf, temporaryHome, until, type Ended, type Home, type Running,
} from '../support/cli.js'
import { freshDatabase, urlOf, type TestDatabase } from '../support/postgres.js'
import { startRedis, type TestRedis } from '../support/redis.js'
import { acquireS3, newPrefix, type TestS3 } from '../support/s3.js'
import { digestsOf, keysOf, removeAll, uploadsOf } from '../support/s3-look.js'

/** Says whose lake and staging are. */
const MARKER = '_catalog.json'
const ASKED = ['backfill', '--symbols', 'all', '--intervals', 'all']

describe('acceptance: lake and staging in buckets', function () {
  this.timeout(300_000)
  let sample: Sample
  let s3: TestS3
  let inFolders: Record<string, string>
  const homes: Home[] = []
  const running: Running[] = []

  const homeWith = async (env: Record<string, string>): Promise<Home> => {
    const home = await temporaryHome({ ARCHIVE_URL: sample.url, ...env })
    homes.push(home)
    return { ...home, env: { ...home.env, CANDLELAKE_CACHE: `${home.dir}/cache` } }
  }
  const s3Env = (lake: string, staging: string): Record<string, string> => ({
    LAKE_URL: lake, STAGING_URL: staging, S3_ENDPOINT: s3.endpoint, S3_REGION: s3.region,
    S3_ACCESS_KEY_ID: s3.accessKeyId, S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
    // A run ends at the next look of a worker.
    RECONCILE_SECONDS: '5',
  })
  const backfill = (home: Home, ...more: string[]): Promise<Ended> =>
    runCli([...ASKED, '--from', sample.from, '--to', sample.to, '--json', '-q', ...more], home.env)

  before(async () => {
    sample = await sampleArchive()
    s3 = await acquireS3()
    const home = await homeWith({})
    expect((await backfill(home)).code).to.equal(0)
    inFolders = await digestsOf(home.dir)
  })

  after(async () => {
    for (const one of running) {
      one.child.kill('SIGTERM')
      await one.ended
    }
    for (const home of homes) await home.remove()
    await sample.close()
  })

  it('one process leaves in the bucket what it leaves in a folder, byte for byte, and nothing else', async () => {
    const [lake, staging] = [newPrefix(s3), newPrefix(s3)]
    const home = await homeWith({ ...s3Env(lake, staging) })
    const ended = await backfill(home)
    expect(ended.code, ended.stderr).to.equal(0)
    expect(summaryOf(ended).partitions).to.include({ verified: 12, quarantined: 0, failed: 0 })
    expect(await digestsOf(s3, lake)).to.deep.equal(inFolders)
    expect((await keysOf(s3, lake)).filter((key) => !/\/(data\.parquet|certificate\.json)$/.test(key))).to.deep.equal([MARKER])
    expect(await keysOf(s3, staging), 'left in staging').to.deep.equal([MARKER])
    expect([...(await uploadsOf(s3, lake)), ...(await uploadsOf(s3, staging))], 'unfinished uploads').to.deep.equal([])
    const [again, verified, reconciled] = [
      await backfill(home), await runCli(['verify', '--json'], home.env), await runCli(['reconcile', '--json'], home.env),
    ]
    expect(summaryOf(again).partitions).to.include({ verified: 12 })
    expect(verified.code, verified.stderr).to.equal(0)
    expect(reconciled.code, reconciled.stderr).to.equal(0)
    const collected = await runCli(['gc', '--dry-run', '--json'], home.env)
    expect(collected.code, collected.stderr).to.equal(0)
    const { items, foreign } = lastJson(collected) as { items: { kind: string; objects: number }[]; foreign: unknown }
    expect(items.filter(({ objects }) => objects > 0), JSON.stringify(foreign)).to.deep.equal([])
    const doctor = lastJson(await runCli(['doctor', '--json'], home.env)) as { items: { name: string; ok: boolean; detail: string }[] }
    const stores = doctor.items.filter(({ name }) => name === 'lake' || name === 'staging')
    expect(stores.map(({ ok, detail }) => ok && detail.startsWith('s3://'))).to.deep.equal([true, true])
    expect(`${ended.stderr}${JSON.stringify(doctor)}`).to.not.include(s3.secretAccessKey)
    expect(ended.stderr, 'warnings of the SDK').to.not.include('Warning')
  })

  describe('with workers that share a Redis, a Postgres and the bucket, and no folder', () => {
    let redis: TestRedis
    let database: TestDatabase
    before(async () => {
      redis = await startRedis()
      database = await freshDatabase()
    })
    after(async () => {
      for (const one of running.splice(0)) {
        one.child.kill('SIGTERM')
        await one.ended
      }
      await redis.stop()
      await database.drop()
    })

    it('download, convert, and upload with verify, each in a home of its own, end as one process does', async () => {
      const [lake, staging] = [newPrefix(s3), newPrefix(s3)]
      const env = { ...s3Env(lake, staging), QUEUE_URL: redis.url, DATABASE_URL: urlOf(database) }
      const workers: Home[] = []
      for (const stages of ['download', 'convert', 'upload,verify']) {
        const home = await homeWith(env)
        workers.push(home)
        running.push(startCli(['worker', '--stages', stages], home.env))
      }
      const asker = await homeWith(env)
      const detached = await backfill(asker, '--detach')
      expect(detached.code, detached.stderr).to.equal(0)
      const run = String(lastJson(detached)['run'])
      await settled(asker, run)
      expect(await digestsOf(s3, lake)).to.deep.equal(inFolders)
      expect(await keysOf(s3, staging), 'left in staging').to.deep.equal([MARKER])
      for (const { dir } of workers) {
        expect(filesBelow(`${dir}/cache`), 'scratch files left on a host').to.deep.equal([])
      }
    })

    it('staged objects that are gone are made again by the stage before, whose finished jobs are kept', async () => {
      const [lake, staging] = [newPrefix(s3), newPrefix(s3)]
      const database2 = await freshDatabase()
      try {
        const home = await homeWith({ ...s3Env(lake, staging), QUEUE_URL: `${redis.url}/1`, DATABASE_URL: urlOf(database2) })
        const asked = ['backfill', '--symbols', 'BTCUSDT', '--intervals', '1h', '--from', sample.from, '--to', sample.to]
        const downloading = startCli(['worker', '--stages', 'download'], home.env)
        running.push(downloading)
        const detached = await runCli([...asked, '--detach', '--json'], home.env)
        await until('all three are downloaded', async () => (await partitionsOf(home))['converting'] === 3)
        expect(await removeAll(s3, staging)).to.equal(3)
        running.push(startCli(['worker', '--stages', 'convert,upload,verify'], home.env))
        await settled(home, String(lastJson(detached)['run']))
        expect(await partitionsOf(home)).to.include({ verified: 3 })
        const wanted = Object.entries(inFolders).filter(([key]) => key.startsWith('spot-klines/btcusdt/1h/'))
        expect(await digestsOf(s3, lake)).to.deep.equal(Object.fromEntries(wanted))
      } finally {
        for (const one of running.splice(0)) {
          one.child.kill('SIGTERM')
          await one.ended
        }
        await database2.drop()
      }
    })
  })
})

async function partitionsOf(home: Home): Promise<Record<string, number>> {
  return (lastJson(await runCli(['status', '--json'], home.env)) as { lake: { partitions: Record<string, number> } }).lake.partitions
}

async function settled(home: Home, run: string): Promise<void> {
  await until(`run ${run} is over`, async () => {
    const status = lastJson(await runCli(['status', '--json'], home.env)) as { runs: { id: string; state: string }[] }
    return status.runs.find(({ id, state }) => id === run && state === 'done')
  }, 200_000)
}
