import { expect } from 'chai'
import pg from 'pg'
import { openBackend } from '../../../src/queues/backend.js'
import { freshDatabase } from '../../support/postgres.js'

const CONNECTIONS = 8
const ROUNDS = 10

describe('queues on Postgres that are closed', function () {
  this.timeout(60_000)

  it('have no connection left that a server stopped right then would end', async () => {
    const fresh = await freshDatabase()
    const watching = new pg.Client(fresh.connection)
    await watching.connect()
    const count = async (name: string): Promise<number> => {
      const asked = 'select count(*)::int as n from pg_stat_activity where application_name = $1'
      return (await watching.query<{ n: number }>(asked, [name])).rows[0]?.n ?? -1
    }
    const [seen, left]: [number[], number[]] = [[], []]
    for (let round = 0; round < ROUNDS; round++) {
      const name = `closed-${round}`
      const backend = await openBackend({ url: null, postgres: fresh.connection, name })
      await Promise.all(Array.from({ length: CONNECTIONS }, () => backend.ping()))
      seen.push(await count(name))
      await backend.close()
      left.push(await count(name))
    }
    await watching.end()
    await fresh.drop()
    expect(Math.min(...seen), 'connections to be closed').to.be.greaterThan(1)
    expect(left).to.deep.equal(left.map(() => 0))
  })
})
