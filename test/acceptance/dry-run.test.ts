import { join } from 'node:path'
import { expect } from 'chai'
import pg from 'pg'
import { archive, type Archive } from '../support/archive.js'
import { errorOf, filesBelow, runCli, summaryOf, temporaryHome, type Ended, type Home } from '../support/cli.js'
import { addressOf, freshDatabase, type TestDatabase } from '../support/postgres.js'

const ASKED = ['backfill', '--symbols', 'AUSDT', '--intervals', '1d', '--from', '2024-01', '--to', '2024-01']
const LOOKING = [
  [...ASKED, '--dry-run'], ['reconcile', '--dry-run'], ['gc', '--dry-run'], ['catalog', 'rebuild', '--dry-run'], ['hot', 'prune', '--dry-run'],
  ['quarantine', 'retry', '*', '--dry-run'], ['verify'], ['workers'],
]

describe('acceptance: what only looks at a new catalog', function () {
  this.timeout(240_000)
  let served: Archive
  let database: TestDatabase
  let home: Home

  before(async () => {
    served = await archive()
    await served.months({ symbol: 'AUSDT', interval: '1d' }, ['2024-01'])
    database = await freshDatabase()
    home = await temporaryHome({ ARCHIVE_URL: served.url, DATABASE_URL: addressOf(database.connection) })
  })

  after(async () => {
    await home.remove()
    await database.drop()
    await served.close()
  })

  const looked = async (args: readonly string[], numericType: string): Promise<Ended> =>
    await runCli([...args, '--json', '-q'], { ...home.env, NUMERIC_TYPE: numericType })
  const rowsIn = async (table: string): Promise<number> => {
    const client = new pg.Client(database.connection)
    await client.connect()
    try {
      return (await client.query<{ count: number }>(`select count(*)::int as count from candlelake.${table}`)).rows[0]?.count ?? -1
    } finally {
      await client.end()
    }
  }

  it('pins neither its numbers nor its address, and marks no lake', async () => {
    for (const args of LOOKING) {
      const ended = await looked(args, 'decimal')
      expect(ended.code, `${args.join(' ')}: ${ended.stderr}`).to.equal(0)
      for (const table of ['lake', 'runs', 'partitions']) expect(await rowsIn(table), `${table} after ${args.join(' ')}`).to.equal(0)
    }
    expect(filesBelow(join(home.dir, 'lake')), 'in the lake').to.deep.equal([])
    const ended = await looked(ASKED, 'double')
    expect(ended.code, ended.stderr).to.equal(0)
    expect(summaryOf(ended).partitions).to.include({ verified: 1 })
  })

  it('is refused all the same once they are pinned', async () => {
    for (const args of LOOKING) {
      const ended = await looked(args, 'decimal')
      expect(errorOf(ended).code, args.join(' ')).to.equal('NUMERIC_TYPE_MISMATCH')
    }
    expect(await rowsIn('lake')).to.equal(1)
  })
})
