import { expect } from 'chai'
import { execFileSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import pg from 'pg'
import { archive, type Archive } from '../support/archive.js'
import { lastJson, runCli, temporaryHome, type Home } from '../support/cli.js'
import { embeddedDataOf, embeddedPidOf } from '../support/embedded.js'
import { addressOf, startServer, type TestServer } from '../support/postgres.js'
import { postgresTools } from '../support/postgres-tools.js'
import { tempFolder } from '../support/temp-folder.js'

/** Before the backup, and after it. */
const [EARLY, LATE] = ['2024-02', '2024-04']

/** `docs/operate.md`, step by step: what the catalog forgot since the backup comes from the lake. */
function restored(parts: () => { home: Home; served: Archive; backup: () => Promise<void>; lose: () => Promise<void>; restore: () => Promise<void> }): void {
  it('the backup is restored, the lake tells what came after it, and nothing is left to do', async () => {
    const { home, served, backup, lose, restore } = parts()
    const backfill = async (to: string): Promise<Record<string, unknown>> => {
      const args = ['backfill', '--symbols', 'SAVEUSDT', '--intervals', '1d', '--from', '2024-01', '--to', to, '--json', '-q']
      const ended = await runCli(args, home.env)
      expect(ended.code, ended.stderr).to.equal(0)
      return lastJson(ended)
    }
    const states = async (): Promise<unknown> => {
      const ended = await runCli(['status', '--json'], home.env)
      expect(ended.code, ended.stderr).to.equal(0)
      return (lastJson(ended) as { lake: { partitions: Record<string, number> } }).lake.partitions['verified']
    }
    await served.months({ symbol: 'SAVEUSDT', interval: '1d' }, ['2024-01', '2024-02', '2024-03', '2024-04'])
    await backfill(EARLY)
    await backup()
    await backfill(LATE)
    expect(await states()).to.equal(4)
    await lose()
    await restore()
    expect(await states(), 'as of the backup').to.equal(2)
    const rebuilt = await runCli(['catalog', 'rebuild', '--add', '--json', '-q'], home.env)
    expect(lastJson(rebuilt), rebuilt.stderr).to.include({ added: 2, kept: 2, leftOut: 0 })
    expect(await states()).to.equal(4)
    expect(lastJson(await runCli(['verify', '--json', '-q'], home.env))).to.include({ partitions: 4, drifted: 0 })
    served.forget()
    await backfill(LATE)
    expect(served.sent(), 'nothing was fetched again').to.deep.equal([])
  })
}

describe('acceptance: a backup of the embedded database', function () {
  this.timeout(240_000)
  let served: Archive
  let home: Home
  let kept: Awaited<ReturnType<typeof tempFolder>>

  before(async () => {
    served = await archive()
    home = await temporaryHome({ ARCHIVE_URL: served.url })
    kept = await tempFolder()
  })

  after(async () => {
    await home.remove()
    await kept.remove()
    await served.close()
  })

  const data = (): string => embeddedDataOf(home.dir) ?? ''
  const copy = (from: string, to: string): void => {
    expect(embeddedPidOf(home.dir), 'nothing runs').to.equal(null)
    execFileSync('cp', ['-a', from, to])
  }
  restored(() => ({
    home, served,
    backup: () => Promise.resolve(copy(data(), join(kept.path, 'data'))),
    lose: () => Promise.resolve(rmSync(data(), { recursive: true })),
    restore: () => Promise.resolve(copy(join(kept.path, 'data'), dirname(data()))),
  }))
})

const bin = postgresTools()
if (bin === null) console.error('not run: a backup by pg_dump, which needs a Postgres server with its client programs')
else {
  describe('acceptance: a backup by pg_dump', function () {
    this.timeout(240_000)
    let served: Archive
    let home: Home
    let server: TestServer
    let kept: Awaited<ReturnType<typeof tempFolder>>

    before(async () => {
      served = await archive()
      server = await startServer({ bin })
      home = await temporaryHome({ ARCHIVE_URL: served.url, DATABASE_URL: addressOf(server.connection) })
      kept = await tempFolder()
    })

    after(async () => {
      await home.remove()
      await server.stop()
      await kept.remove()
      await served.close()
    })

    const run = (program: string, ...args: readonly string[]): void => {
      execFileSync(join(bin, program), args, { env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' } })
    }
    const url = (): string => addressOf(server.connection)
    const file = (): string => join(kept.path, 'catalog.dump')
    restored(() => ({
      home, served,
      backup: () => {
        run('pg_dump', '--schema=candlelake', '--format=custom', `--file=${file()}`, url())
        expect(existsSync(file())).to.equal(true)
        return Promise.resolve()
      },
      lose: async () => {
        const client = new pg.Client(server.connection)
        await client.connect()
        await client.query('drop schema candlelake cascade; drop schema bullmq cascade').finally(() => client.end())
      },
      // Into an empty database, and over a catalog that is there.
      restore: async () => {
        for (let i = 0; i < 2; i++) await Promise.resolve(run('pg_restore', '--clean', '--if-exists', `--dbname=${url()}`, file()))
      },
    }))
  })
}
