import { expect } from 'chai'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { openCatalog, type Catalog } from '../../../src/adapters/postgres/connect.js'
import { migrate } from '../../../src/adapters/postgres/migrate.js'
import { MIGRATIONS } from '../../../src/adapters/postgres/migrations/index.js'
import { BTC_1M, hotBars } from '../../support/hot-candles.js'
import { startServer, type TestServer } from '../../support/postgres.js'

/** What Supabase's own scripts make of a database, as far as it concerns tables of others. */
const SUPABASE = [
  'create role anon nologin noinherit', 'create role authenticated nologin noinherit',
  'create role service_role nologin noinherit bypassrls',
  'alter default privileges grant all on tables to anon, authenticated, service_role',
  'alter default privileges grant all on sequences to anon, authenticated, service_role',
  'create publication supabase_realtime',
]

describe('a catalog on Supabase', () => {
  let server: TestServer
  let catalog: Catalog
  const ask = async (text: string) => (await catalog.pool.query<Record<string, unknown>>(text)).rows

  before(async function () {
    this.timeout(60_000)
    server = await startServer()
    const client = new pg.Client(server.connection)
    await client.connect()
    for (const statement of SUPABASE) await client.query(statement)
    await client.end()
    // A day that is older than the migration which closes the tables.
    const pool = new pg.Pool({ ...server.connection, options: '-c search_path=candlelake' })
    const before = Object.fromEntries(Object.entries(MIGRATIONS).filter(([name]) => name < '007'))
    await migrate(new Kysely({ dialect: new PostgresDialect({ pool }) }), 'candlelake', before)
    await pool.query(`create table hot_candles_20231231 partition of hot_candles
      for values from ('2023-12-31 00:00+00') to ('2024-01-01 00:00+00')`)
    await pool.end()
    catalog = await openCatalog({ connection: server.connection, maxConnections: 4, applicationName: 'test' })
    await catalog.hot.save(BTC_1M, hotBars('2023-12-31T23:00Z', 120), 'closed')
  })

  after(async () => {
    await catalog.close()
    await server.stop()
  })

  it('has row level security on every table, on days before and after it as well', async () => {
    const tables = await ask(`select relname, relrowsecurity from pg_class
      where relnamespace = 'candlelake'::regnamespace and relkind in ('r', 'p')`)
    expect(tables.map(({ relname }) => relname)).to.include.members(
      ['partitions', 'hot_candles', 'hot_candles_20231231', 'hot_candles_20240101', 'hot_changes', 'migrations',
        'hot_reports'])
    expect(tables.filter(({ relrowsecurity }) => relrowsecurity !== true)).to.deep.equal([])
  })

  for (const role of ['anon', 'authenticated']) {
    it(`grants nothing to ${role}`, async () => {
      expect(await ask(`select table_name from information_schema.role_table_grants
        where table_schema = 'candlelake' and grantee = '${role}'`)).to.deep.equal([])
      const client = new pg.Client(server.connection)
      await client.connect()
      try {
        await client.query(`set role ${role}`)
        for (const table of ['hot_candles', 'hot_candles_20231231', 'hot_candles_20240101', 'hot_reports', 'partitions']) {
          const thrown = await client.query(`select from candlelake.${table}`).then(() => null, (error: unknown) => error)
          expect(thrown, table).to.have.property('code', '42501')
        }
      } finally {
        await client.end()
      }
    })
  }

  it('publishes hot rows for Realtime, days before and after it', async () => {
    const published = await ask(`select tablename from pg_publication_tables
      where pubname = 'supabase_realtime' order by 1`)
    expect(published).to.deep.equal([{ tablename: 'hot_candles_20231231' }, { tablename: 'hot_candles_20240101' }])
    const named = await ask('select prrelid::regclass::text as name from pg_publication_rel')
    expect(named).to.deep.equal([{ name: 'hot_candles' }])
  })

  it('is worked on by its owner as before', async () => {
    expect(await catalog.hot.latest(BTC_1M, 200)).to.have.length(120)
  })
})
