import { expect } from 'chai'
import { openCatalog, type Catalog } from '../../../src/adapters/postgres/connect.js'
import { MIGRATIONS } from '../../../src/adapters/postgres/migrations/index.js'
import { PipelineError } from '../../../src/domain/errors.js'
import { freshDatabase, type TestDatabase } from '../../support/postgres.js'

const VERSION = Number.parseInt(Object.keys(MIGRATIONS).at(-1) ?? '', 10)

describe('postgres catalog: migrations', () => {
  let database: TestDatabase
  beforeEach(async () => { database = await freshDatabase() })
  afterEach(() => database.drop())

  const open = (schema?: string): Promise<Catalog> =>
    openCatalog({ connection: database.connection, maxConnections: 2, applicationName: 'test', ...(schema ? { schema } : {}) })
  const applied = async (catalog: Catalog): Promise<string[]> =>
    (await catalog.pool.query<{ name: string }>('select name from migrations order by name')).rows.map(({ name }) => name)

  it('ten programs may start at once on an empty database', async () => {
    const catalogs = await Promise.all(Array.from({ length: 10 }, () => open()))
    try {
      for (const catalog of catalogs) {
        expect(await applied(catalog)).to.deep.equal(Object.keys(MIGRATIONS))
        expect(await catalog.plan.runs({ limit: 1 })).to.deep.equal([])
      }
    } finally {
      await Promise.all(catalogs.map((catalog) => catalog.close()))
    }
  })

  it('a second start changes nothing', async () => {
    const first = await open()
    const run = await first.plan.createRun({ kind: 'backfill', request: { a: 1 } })
    await first.close()
    const second = await open()
    expect(await second.plan.runs({ limit: 5 })).to.deep.equal([run])
    expect(await applied(second)).to.deep.equal(Object.keys(MIGRATIONS))
    await second.close()
  })

  it('refuses a database that a newer program migrated, and says both versions and what to do', async () => {
    const catalog = await open()
    await catalog.pool.query(`insert into migrations (name, timestamp) values ('017_later', now())`)
    await catalog.close()
    const thrown: unknown = await open().catch((error: unknown) => error)
    expect(thrown).to.be.instanceOf(PipelineError)
    const error = thrown as PipelineError
    expect(error.code).to.equal('CATALOG_NEWER')
    expect(error.facts).to.include({ database: 17, program: VERSION })
    expect(error.message).to.include(`version 17, this program knows up to ${VERSION}`)
    expect(error.do).to.match(/update candlelake/)
  })

  it('an up-to-date database serves a role that may not create tables', async () => {
    const owner = await open()
    const role = `app_${database.name}`
    await owner.pool.query(`create role ${role} login password 'of-the-app'; grant usage on schema candlelake to ${role};
      grant select, insert, update, delete on all tables in schema candlelake to ${role}`)
    const app = await openCatalog({
      connection: { ...database.connection, user: role, password: 'of-the-app' }, maxConnections: 1, applicationName: 'test',
    })
    const run = await app.plan.createRun({ kind: 'backfill', request: {} })
    await app.plan.planned(run.id)
    expect((await app.plan.progress(run.id)).run.state).to.equal('running')
    await app.close()
    await owner.pool.query(`drop owned by ${role}; drop role ${role}`)
    await owner.close()
  })

  it('two catalogs in schemas of their own know nothing of each other', async () => {
    const [a, b] = [await open('one'), await open('two Schemas"')]
    const run = await a.plan.createRun({ kind: 'backfill', request: {} })
    expect(await a.plan.runs({ limit: 5 })).to.deep.equal([run])
    expect(await b.plan.runs({ limit: 5 })).to.deep.equal([])
    await Promise.all([a.close(), b.close()])
  })
})
