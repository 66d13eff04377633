import { expect } from 'chai'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'
import { openCatalog } from '../../../src/adapters/postgres/connect.js'
import { PipelineError } from '../../../src/domain/errors.js'
import type { Log } from '../../../src/domain/ports/observe.js'
import { startServer } from '../../support/postgres.js'
import { advanceOf, claimed, newPartition, openFresh, planned, rowOf } from './catalog-fixture.js'

const quiet: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

const failureOf = async (connection: Parameters<typeof openCatalog>[0]['connection']): Promise<PipelineError> => {
  const thrown: unknown = await openCatalog({ connection, maxConnections: 1, applicationName: 'test' }).catch((e: unknown) => e)
  expect(thrown).to.be.instanceOf(PipelineError)
  return thrown as PipelineError
}

describe('postgres catalog: connections', () => {
  it('reads int8 as number and timestamptz as Date, and leaves the driver\'s own parsers alone', async () => {
    const catalog = await openFresh()
    const { rows } = await catalog.pool.query<{ n: unknown; t: unknown }>(
      `select 9007199254740991::int8 as n, '2024-01-01T00:00:00Z'::timestamptz as t`)
    expect(rows[0]?.n).to.equal(9_007_199_254_740_991)
    expect(rows[0]?.t).to.deep.equal(new Date('2024-01-01T00:00:00Z'))
    const beyond: unknown = await catalog.pool.query('select 9007199254740993::int8').catch((e: unknown) => e)
    expect(beyond).to.be.instanceOf(RangeError)
    const { default: pg } = await import('pg')
    const parse = pg.types.getTypeParser(20) as (text: string) => unknown
    expect(parse('12')).to.equal('12')
    await catalog.drop()
  })

  it('limits statements, waits and idle transactions, and looks into its schema', async () => {
    const catalog = await openFresh()
    const { rows } = await catalog.pool.query<{ name: string; setting: string }>(`select name, setting from pg_settings
      where name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'search_path', 'TimeZone')`)
    const settings = new Map(rows.map(({ name, setting }) => [name, setting]))
    expect(settings.get('search_path')).to.equal('"candlelake"')
    expect(settings.get('TimeZone')).to.equal('UTC')
    for (const name of ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']) {
      expect(Number(settings.get(name)), name).to.be.greaterThan(0)
    }
    await catalog.drop()
  })

  it('says CATALOG_UNREACHABLE, where and what to do, and never the password', async () => {
    const refused = createServer().listen(0, '127.0.0.1')
    await once(refused, 'listening')
    const { port } = refused.address() as AddressInfo
    await new Promise((resolve) => refused.close(resolve))
    for (const connection of [
      `postgres://u:hunter2@127.0.0.1:${port}/db`,
      { host: '/nonexistent/socket', user: 'u', password: 'hunter2', database: 'db' },
      `postgres://u:hunter2@does-not-exist.invalid/db`,
    ]) {
      const error = await failureOf(connection)
      expect(error.code).to.equal('CATALOG_UNREACHABLE')
      expect(error.at).to.match(/db$/)
      expect(error.do).to.match(/DATABASE_URL/)
      expect(`${error.message} ${JSON.stringify(error.facts)} ${String(error.stack)}`).not.to.include('hunter2')
    }
  })

  it('says so too when the other side answers nonsense or hangs up', async () => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => undefined))
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const error = await failureOf(`postgres://u:hunter2@127.0.0.1:${port}/db`)
    expect(error.code).to.equal('CATALOG_UNREACHABLE')
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })

  it('refuses an address that it cannot read without repeating it', async () => {
    const error = await failureOf('postgres://u:hunter2@host:not-a-port/db')
    expect(error.code).to.equal('BAD_CONFIG')
    expect(error.do).to.match(/postgres:/)
    expect(`${error.message} ${JSON.stringify(error.facts)} ${String(error.cause)}`).not.to.include('hunter2')
  })

  it('logs a connection that breaks while idle, and works on', async () => {
    const lost: unknown[] = []
    const catalog = await openFresh({ log: { ...quiet, warn: (event) => lost.push(event) }, maxConnections: 4 })
    await Promise.all([catalog.ping(), catalog.ping(), catalog.ping()])
    const idle = catalog.pool.idleCount
    const { default: pg } = await import('pg')
    const other = new pg.Client(catalog.connection)
    await other.connect()
    const { rowCount } = await other.query(`select pg_terminate_backend(pid, 5000) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`)
    await other.end()
    expect(rowCount, 'connections killed').to.equal(idle)
    for (let i = 0; i < 100 && lost.length < idle; i++) await new Promise((resolve) => setTimeout(resolve, 20))
    expect(lost.length).to.be.at.least(idle)
    expect(lost).to.include('catalog.connection_lost')
    await catalog.ping()
    await catalog.drop()
  })

  it('says CATALOG_UNREACHABLE for a statement whose connection is lost, and gives that connection to nobody', async () => {
    const catalog = await openFresh({ maxConnections: 1 })
    const { default: pg } = await import('pg')
    const other = new pg.Client(catalog.connection)
    await other.connect()
    await other.query('begin; lock table candlelake.workers in access exclusive mode')
    const asking: Promise<unknown> = catalog.keeper.workers().catch((e: unknown) => e)
    let killed = 0
    for (let i = 0; i < 200 && killed === 0; i++) {
      const { rows } = await other.query<{ ok: boolean }>(`select pg_terminate_backend(pid, 5000) as ok from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`)
      killed = rows.filter((row) => row.ok).length
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    expect(killed, 'connections killed').to.equal(1)
    expect(await asking).to.be.instanceOf(PipelineError).with.property('code', 'CATALOG_UNREACHABLE')
    await other.query('rollback')
    await other.end()
    expect(await catalog.keeper.workers()).to.deep.equal([])
    await catalog.drop()
  })

  it('outlives a server that crashes: what was recorded is there, and the same lease goes on', async () => {
    const server = await startServer({ durable: true })
    const catalog = await openCatalog({ connection: server.connection, maxConnections: 3, applicationName: 'test', log: quiet })
    try {
      const partition = newPartition()
      await planned(catalog, [partition])
      const claim = await claimed(catalog, 'download', partition)
      await server.crash()
      const down: unknown = await catalog.stage.commit(claim, advanceOf(claim)).catch((e: unknown) => e)
      expect(down).to.be.instanceOf(PipelineError).with.property('code', 'CATALOG_UNREACHABLE')
      await server.start()
      expect(await catalog.stage.commit(claim, advanceOf(claim))).to.equal(true)
      expect(await rowOf(catalog, partition)).to.include({ state: 'converting', generation: 1 })
    } finally {
      await catalog.close()
      await server.stop()
    }
  })

  it('says CATALOG_UNREACHABLE once it is closed, and closes as often as asked', async () => {
    const catalog = await openFresh({ maxConnections: 1 })
    await catalog.close()
    await catalog.close()
    const thrown: unknown = await catalog.ping().catch((e: unknown) => e)
    expect(thrown).to.be.instanceOf(PipelineError).with.property('code', 'CATALOG_UNREACHABLE')
    await catalog.drop()
  })
})
