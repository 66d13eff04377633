import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import { openCatalog, type Catalog } from '../../../src/adapters/postgres/connect.js'
import { openBackend } from '../../../src/queues/backend.js'
import { openJobQueue } from '../../../src/queues/job-queue.js'
import type { QueueBackend } from '../../../src/queues/queue-backend.js'
import { STAGES } from '../../../src/jobs/stages.js'
import type { Listening } from '../../../src/server/listen.js'
import { startServer as serve } from '../../../src/server/start-server.js'
import { ask } from '../../support/ask.js'
import { startServer, type TestServer } from '../../support/postgres.js'
import { keptLog, partitionOf, serverParts } from '../../support/server-parts.js'

describe('server: over a real database that goes away and comes back', () => {
  let database: TestServer
  let catalog: Catalog
  let backend: QueueBackend
  let server: Listening

  before(async () => {
    database = await startServer()
    const { connection } = database
    const log = keptLog()
    catalog = await openCatalog({ connection, maxConnections: 4, applicationName: 'test', log })
    backend = await openBackend({ url: null, postgres: connection, maxConnections: 4, onError: () => undefined })
    const boards = STAGES.map((stage) => backend.queue(stage))
    const { keeper, plan } = catalog
    server = await serve(serverParts({ keeper, plan, queue: openJobQueue(backend), boards, log, limitMs: 1_000 }))
  })
  after(async () => {
    await server.close()
    await backend.close()
    await catalog.close()
    await database.stop()
  })

  const ready = async (): Promise<{ status: number; checks: Record<string, string> }> => {
    const { status, text } = await ask(server.url, '/readyz')
    return { status, checks: (JSON.parse(text) as { checks: Record<string, string> }).checks }
  }

  async function soon(holds: () => Promise<boolean>): Promise<void> {
    const until = Date.now() + 40_000
    while (!(await holds())) {
      if (Date.now() > until) throw new Error('it did not happen within 40 s')
      await sleep(200)
    }
  }

  it('shows an empty lake, then a planned run', async () => {
    expect((await ask(server.url, '/')).text).to.include('Nothing is planned yet.').and.include('No run yet.')
    const run = await catalog.plan.createRun({ kind: 'backfill', request: { symbols: ['BTCUSDT'] } })
    const wanted = { partition: partitionOf('BTCUSDT'), sources: [], bounds: null }
    await catalog.plan.apply({ run, decisions: [{ wanted, decision: { kind: 'start', from: null, reason: 'new' } }] })
    await soon(async () => (await ask(server.url, '/')).text.includes('symbols BTCUSDT'))
    const page = await ask(server.url, '/')
    expect(page.text).to.include(run.id).and.include('spot-klines')
    expect((await ask(server.url, '/metrics')).text)
      .to.include('candlelake_partitions{dataset="spot-klines",state="planned"} 1')
  })

  it('stays up, not ready, while the database is gone, and is ready when it is back', async () => {
    expect(await ready()).to.deep.equal({ status: 200, checks: { catalog: 'ok', queue: 'ok' } })
    await database.crash()
    await soon(async () => (await ready()).status === 503)
    const { checks } = await ready()
    expect(checks['catalog']).to.be.oneOf(['CATALOG_UNREACHABLE', 'TIMED_OUT'])
    expect(checks['queue']).to.be.oneOf(['QUEUE_UNREACHABLE', 'TIMED_OUT'])
    expect((await ask(server.url, '/livez')).status).to.equal(200)
    await soon(async () => (await ask(server.url, '/')).text.includes('Not readable now'))
    await soon(async () => (await ask(server.url, '/metrics')).text.includes('candlelake_up{op="catalog"} 0'))
    const board = await ask(server.url, '/board/api/queues')
    expect(board.status).to.be.oneOf([500, 503])
    expect(board.text).to.not.match(/ECONN|ENOENT|socket|\.js/)
    await database.start()
    await soon(async () => (await ready()).status === 200)
    await soon(async () => (await ask(server.url, '/')).text.includes('symbols BTCUSDT'))
    expect((await ask(server.url, '/board/api/queues')).status).to.equal(200)
  })
})
