import { expect } from 'chai'
import { archive, keyOf, type Archive } from '../support/archive.js'
import { lastJson, printed, runCli, startCli, temporaryHome, until, type Home, type Running } from '../support/cli.js'
import { addressOf, freshDatabase, type TestDatabase } from '../support/postgres.js'
import { startRedis, type TestRedis } from '../support/redis.js'

/** Where a lake and its staging lie, as every process of a test is told, and what is in them. */
export type Places = {
  /** LAKE_URL, STAGING_URL, and what it takes to reach them. */
  readonly env: Readonly<Record<string, string>>
  /** SHA-256 of every published Parquet object, by its key in the lake. */
  objects(): Promise<Readonly<Record<string, string>>>
  /** What lies in staging and in `_incoming`. */
  left(): Promise<readonly string[]>
  close(): Promise<void>
}

const SYMBOLS = ['AUSDT', 'BUSDT', 'CUSDT']
const MONTHS = Array.from({ length: 8 }, (_, i) => `2024-0${i + 1}`)
const REQUEST = ['--symbols', SYMBOLS.join(), '--intervals', '4h', '--from', '2024-01', '--to', '2024-08']

const DEPLOYMENTS: readonly (readonly [name: string, stages: readonly string[]])[] = [
  ['one process', ['download,convert,upload,verify']],
  ['three processes: download; convert; upload and verify', ['download', 'convert', 'upload,verify']],
  ['eight processes of every stage', Array.from({ length: 8 }, () => 'download,convert,upload,verify')],
]

/**
 * Workers that share Redis, Postgres, lake and staging, and nothing else: each has a home of its own, as on a host of its own.
 * However many there are, they end with the same objects.
 */
export function manyWorkers(name: string, open: () => Promise<Places>): void {
  describe(`acceptance: many workers on Redis, ${name}`, function () {
    this.timeout(300_000)
    let served: Archive
    let redis: TestRedis
    let database: TestDatabase
    let places: Places
    let expected: Readonly<Record<string, string>> | null = null
    const homes: Home[] = []

    before(async () => {
      served = await archive()
      for (const symbol of SYMBOLS) await served.months({ symbol, interval: '4h' }, MONTHS)
    })

    beforeEach(async () => {
      served.forget()
      redis = await startRedis()
      database = await freshDatabase()
      places = await open()
    })

    afterEach(async () => {
      for (const home of homes.splice(0)) await home.remove()
      await places.close()
      await database.drop()
      await redis.stop()
    })

    after(() => served.close())

    const newHome = async (): Promise<Home> => {
      const home = await temporaryHome({
        ARCHIVE_URL: served.url, QUEUE_URL: redis.url, DATABASE_URL: addressOf(database.connection), ENGINE_SLOTS: '1', ...places.env,
      })
      homes.push(home)
      return home
    }
    const start = async (stages: string): Promise<Running> => startCli(['worker', '--stages', stages], (await newHome()).env)

    for (const [deployment, stages] of DEPLOYMENTS) {
      it(`${deployment}: one object and one row for each partition, each file fetched once, nothing left over`, async () => {
        const workers = await Promise.all(stages.map(start))
        await Promise.all(workers.map((worker) => printed(worker, /takes jobs/)))
        const home = await newHome()
        const ask = async (...args: string[]): Promise<Record<string, unknown>> => {
          const ended = await runCli([...args, '--json', '-q'], home.env)
          expect(ended.code, ended.stderr).to.equal(0)
          return lastJson(ended)
        }
        const { items } = (await ask('workers')) as { items: { pid: number; lost: boolean }[] }
        expect(items.map(({ pid }) => pid).sort()).to.deep.equal(workers.map(({ child }) => child.pid ?? 0).sort())
        expect(items.some(({ lost }) => lost)).to.equal(false)
        expect(await ask('backfill', ...REQUEST, '--detach')).to.include({ todo: 24 })
        await until('all are verified', async () => {
          const { lake } = (await ask('status')) as { lake: { partitions: Record<string, number> } }
          return lake.partitions['verified'] === 24
        }, 200_000)
        for (const { child } of workers) child.kill('SIGTERM')
        for (const worker of workers) expect((await worker.ended).code).to.equal(143)
        expect(served.sent().sort()).to.deep.equal(
          SYMBOLS.flatMap((symbol) => MONTHS.map((month) => keyOf({ symbol, interval: '4h', month }))).sort())
        expect(await ask('verify')).to.include({ partitions: 24, drifted: 0 })
        expect((await places.left()).filter((key) => key !== '_catalog.json')).to.deep.equal([])
        const objects = await places.objects()
        expect(Object.keys(objects)).to.have.length(24)
        expect(objects, 'byte for byte what one process made').to.deep.equal((expected ??= objects))
      })
    }
  })
}
