import { expect } from 'chai'
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import pg from 'pg'
import { archive, type Archive } from '../support/archive.js'
import { errorOf, lastJson, printed, runCli, startCli, temporaryHome, until, type Home, type Running } from '../support/cli.js'
import { addressOf, freshDatabase, type TestDatabase } from '../support/postgres.js'
import { startRedis, type TestRedis } from '../support/redis.js'

const ROOT = resolve(import.meta.dirname, '../../..')

/**
 * The program of tomorrow: this one with the next version of payload and one more migration, both as a later version would
 * bring them. What it replaces must be there, or the copy would be the program of today.
 */
function nextVersion(): { readonly root: string; remove(): void } {
  const root = mkdtempSync(join(tmpdir(), 'candlelake-next-'))
  for (const part of ['package.json', 'bin', 'dist/src']) cpSync(join(ROOT, part), join(root, part), { recursive: true })
  symlinkSync(realpathSync(join(ROOT, 'node_modules')), join(root, 'node_modules'))
  const edit = (path: string, from: RegExp, to: string): void => {
    const text = readFileSync(join(root, path), 'utf8')
    expect(text, path).to.match(from)
    writeFileSync(join(root, path), text.replace(from, to))
  }
  edit('dist/src/jobs/stage-job.js', /JOB_VERSION = 1;/, 'JOB_VERSION = 2;')
  edit('dist/src/adapters/postgres/migrations/index.js', /MIGRATIONS = \{/, `MIGRATIONS = { '900_next': { up: async (db) => {
    await db.schema.alterTable('partitions').addColumn('tomorrow', 'text').execute() } },`)
  return { root, remove: () => rmSync(root, { recursive: true, force: true }) }
}

for (const kind of ['postgres', 'redis'] as const) {
  describe(`acceptance: upgrade and rollback with jobs in flight, ${kind}`, function () {
    this.timeout(240_000)
    let next: ReturnType<typeof nextVersion>
    let served: Archive
    let database: TestDatabase
    let redis: TestRedis | null = null
    let home: Home
    let client: pg.Client

    before(async () => {
      next = nextVersion()
      served = await archive()
      database = await freshDatabase()
      redis = kind === 'redis' ? await startRedis() : null
      const queue = redis === null ? {} : { QUEUE_URL: redis.url }
      home = await temporaryHome({ ARCHIVE_URL: served.url, DATABASE_URL: addressOf(database.connection), DOWNLOAD_CONCURRENCY: '1', ...queue })
      client = new pg.Client(database.connection)
      await client.connect()
    })

    after(async () => {
      await home.remove()
      await client.end()
      await database.drop()
      await redis?.stop()
      await served.close()
      next.remove()
    })

    const start = async (o: { root?: string } = {}): Promise<Running> => {
      const worker = startCli(['worker'], home.env, o)
      await printed(worker, /takes jobs/)
      return worker
    }
    const stop = async (worker: Running): Promise<void> => {
      worker.child.kill('SIGTERM')
      expect((await worker.ended).code).to.equal(143)
    }
    const backfill = (symbol: string, months: number, o: { root?: string } = {}, ...more: string[]): ReturnType<typeof runCli> => runCli(
      ['backfill', '--symbols', symbol, '--intervals', '1d', '--from', '2024-01', '--to', `2024-0${months}`, '--json', ...more], home.env, o)
    const detach = async (symbol: string, months: number, o: { root?: string } = {}): Promise<void> => {
      await served.months({ symbol, interval: '1d' }, Array.from({ length: months }, (_, i) => `2024-0${i + 1}`))
      const ended = await backfill(symbol, months, o, '--detach')
      expect(lastJson(ended), ended.stderr).to.include({ todo: months })
    }
    const states = async (symbol: string): Promise<Record<string, number>> => {
      const { rows } = await client.query<{ state: string; n: number }>(
        'select state, count(*)::int as n from candlelake.partitions where symbol = $1 group by state', [symbol])
      return Object.fromEntries(rows.map(({ state, n }) => [state, n]))
    }
    const finishedBy = (worker: Running): number => worker.output().match(/"partition\.finished"/g)?.length ?? 0

    it('the newer version runs what waits of the older one, side by side with it, and nothing is lost', async () => {
      served.faults.set({ match: /UPUSDT.*\.zip$/, latencyMs: 500 })
      await detach('UPUSDT', 8)
      const old = await start()
      await until('the older one is at it', () => finishedBy(old) > 0)
      const newer = await start(next)
      await until('the newer one too', () => finishedBy(newer) > 0)
      await stop(old)
      served.faults.clear()
      await until('all are done', async () => (await states('UPUSDT'))['verified'] === 8)
      await stop(newer)
      const { rows } = await client.query('select from candlelake.partitions where crashes > 0 or generation > 1')
      expect(rows, 'each in its first generation').to.have.length(0)
      expect((await client.query<{ name: string }>('select name from candlelake.migrations')).rows.map(({ name }) => name)).to.include('900_next')
    })

    it('a job of the newer version waits for a newer worker, and costs it no attempt', async () => {
      await client.query(`alter table candlelake.partitions drop column tomorrow; delete from candlelake.migrations where name = '900_next'`)
      const old = await start()
      await detach('AHEADUSDT', 2, next)
      await printed(old, /"JOB_NEWER".*"job\.newer"/)
      expect(await states('AHEADUSDT')).to.deep.equal({ planned: 2 })
      const newer = await start(next)
      await stop(old)
      await until('the newer one does it', async () => (await states('AHEADUSDT'))['verified'] === 2)
      expect(finishedBy(old)).to.equal(0)
      expect(old.output()).to.not.match(/"outcome":"failed"|job\.given_up/)
      await stop(newer)
    })

    it('back to the older version: it refuses the newer catalog, and makes one of its own from the lake', async () => {
      const refused = await runCli(['status', '--json'], home.env)
      expect(refused.code).to.equal(1)
      expect(errorOf(refused).code).to.equal('CATALOG_NEWER')
      expect(errorOf(refused).message).to.include('version 900')
      await client.query('drop schema candlelake cascade')
      const rebuilt = await runCli(['catalog', 'rebuild', '--json', '-q'], home.env)
      expect(lastJson(rebuilt), rebuilt.stderr).to.include({ added: 10, leftOut: 0 })
      served.forget()
      for (const [symbol, months] of [['UPUSDT', 8], ['AHEADUSDT', 2]] as const) {
        expect((await backfill(symbol, months, {}, '-q')).code).to.equal(0)
      }
      expect(served.sent(), 'nothing was to do').to.deep.equal([])
    })
  })
}
