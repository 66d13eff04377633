import { expect } from 'chai'
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { PipelineError, type ErrorCode } from '../../../src/domain/errors.js'
import type { Listening } from '../../../src/server/listen.js'
import { startMetricsServer } from '../../../src/server/start-metrics-server.js'
import { startServer, type ServerOptions } from '../../../src/server/start-server.js'
import { ask, basic } from '../../support/ask.js'
import { keptLog, partitionOf, serverParts, statesOf } from '../../support/server-parts.js'

const PASSWORD = 'correct horse battery'
const credentials = { user: 'operator', password: PASSWORD }
const ROUTES = [
  '/', '/style.css', '/api/status', '/metrics', '/livez', '/readyz', '/board', '/board/api/queues', '/nothing',
]

const open: Listening[] = []
async function start(some: Partial<ServerOptions> = {}): Promise<Listening> {
  const server = await startServer(serverParts({ limitMs: 300, ...some }))
  open.push(server)
  return server
}
afterEach(() => Promise.all(open.splice(0).map((server) => server.close())))

async function codeOf(work: Promise<unknown>): Promise<ErrorCode | null> {
  return work.then(() => null, (thrown: PipelineError) => thrown.code)
}

describe('server: pages', () => {
  it('shows the lake, runs, workers, queues and quarantine, escaped, without script or foreign resource', async () => {
    const { url } = await start()
    const { status, text } = await ask(url, '/')
    expect(status).to.equal(200)
    const parts = ['5,400,000', '7f3k2', '270/356', 'lake-1', 'spot-klines/ETHUSDT/1h/2021-04', 'CORRUPT', '"/board"']
    for (const part of parts) expect(text).to.include(part)
    expect(text).to.include('&lt;b&gt;&amp;&quot;').and.not.include('<b>')
    expect(text).to.not.match(/<script|https?:\/\/|\son\w+=/)
  })

  it('gives the same as JSON, instants as ISO 8601', async () => {
    const { url } = await start()
    const { headers, text } = await ask(url, '/api/status')
    const status = JSON.parse(text) as Record<string, never>
    expect(headers['content-type']).to.equal('application/json')
    expect(status).to.include({ v: 1, type: 'status', version: '0.1.0' })
    expect(status).to.have.nested.property('datasets[0].states.verified', 268)
    expect(status).to.have.nested.property('runs[0].states.quarantined', 2)
    expect(status).to.have.nested.property('queues.convert.waiting', 20)
    expect(status).to.have.nested.property('quarantine[0].since', '2026-11-20T03:04:05.000Z')
    expect(status).to.have.deep.property('problems', [])
  })

  it('says which part cannot be read and shows the others', async () => {
    const parts = serverParts()
    const { url } = await start({
      keeper: { ...parts.keeper, summary: () => Promise.reject(new PipelineError('CATALOG_UNREACHABLE', 'refused')) },
      queue: { ...parts.queue, counts: () => new Promise(() => undefined) },
    })
    const status = JSON.parse((await ask(url, '/api/status')).text) as Record<string, unknown>
    expect(status['datasets']).to.equal(null)
    expect(status['workers']).to.have.lengthOf(1)
    expect(status['problems']).to.deep.equal([
      { part: 'datasets', code: 'CATALOG_UNREACHABLE' }, { part: 'queues', code: 'TIMED_OUT' },
    ])
    const page = await ask(url, '/')
    expect(page.status).to.equal(200)
    expect(page.text).to.include('CATALOG_UNREACHABLE').and.include('lake-1')
  })

  it('says that the board cannot be had while the queues are down, and makes it when they are back', async () => {
    let down = true
    const { url } = await start({
      boards: () => (down ? Promise.reject(new PipelineError('QUEUE_UNREACHABLE', 'refused')) : Promise.resolve([])),
    })
    const { status, text } = await ask(url, '/board')
    expect([status, (JSON.parse(text) as { code: string }).code]).to.deep.equal([503, 'UNAVAILABLE'])
    down = false
    expect((await ask(url, '/board')).status).to.equal(200)
  })

  it('answers metrics of events and of the state', async () => {
    const parts = serverParts()
    const { url } = await start(parts)
    parts.metrics.observe({ type: 'bytes', stage: 'download', count: 12 })
    const { headers, text } = await ask(url, '/metrics')
    expect(headers['content-type']).to.match(/^text\/plain; version=0\.0\.4/)
    expect(text).to.include('candlelake_bytes_received_total{stage="download"} 12')
    expect(text).to.include('candlelake_partitions{dataset="spot-klines",state="verified"} 268')
    expect(text).to.match(/^nodejs_eventloop_lag_p99_seconds /m)
    expect((await ask(url, '/metrics')).text).to.include('candlelake_http_requests_total{op="metrics",code="200"} 1')
  })
})

describe('server: health', () => {
  it('is alive and ready while catalog and queue answer', async () => {
    const { url } = await start()
    expect((await ask(url, '/livez')).text).to.equal('ok\n')
    const { status, text } = await ask(url, '/readyz')
    expect([status, JSON.parse(text)]).to.deep.equal(
      [200, { v: 1, type: 'readiness', ready: true, checks: { catalog: 'ok', queue: 'ok' } }],
    )
  })

  it('is alive but not ready when they do not, names which, and is ready again after', async () => {
    let down = true
    const refused = new PipelineError('CATALOG_UNREACHABLE', 'postgres://u:canary@db')
    const log = keptLog()
    const parts = serverParts()
    const { url } = await start({
      log,
      plan: {
        ...parts.plan,
        runs: (o) => (down ? Promise.reject(refused) : parts.plan.runs(o)),
      },
      queue: { ...parts.queue, ping: () => (down ? new Promise(() => undefined) : Promise.resolve()) },
      checks: { disk: () => Promise.resolve() },
    })
    const { status, text } = await ask(url, '/readyz')
    expect(status).to.equal(503)
    const checks = { catalog: 'CATALOG_UNREACHABLE', queue: 'TIMED_OUT', disk: 'ok' }
    expect(JSON.parse(text)).to.have.deep.property('checks', checks)
    expect(text).to.not.include('canary')
    expect((await ask(url, '/livez')).status).to.equal(200)
    expect(log.lines.map((line) => line.event)).to.deep.equal(['server.listening', 'server.readiness'])
    down = false
    await expectSoon(async () => (await ask(url, '/readyz')).status === 200)
  })
})

async function expectSoon(holds: () => Promise<boolean>): Promise<void> {
  const until = Date.now() + 15_000
  while (!(await holds())) {
    if (Date.now() > until) throw new Error('it did not happen within 15 s')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

describe('server: who is answered', () => {
  it('asks for the password on everything but the probes', async () => {
    const { url } = await start({ credentials })
    for (const path of ROUTES) {
      const { status, headers, text } = await ask(url, path)
      const free = path === '/livez' || path === '/readyz'
      expect(status, path).to.equal(free ? 200 : 401)
      if (!free) expect(headers['www-authenticate']).to.match(/^Basic realm=/)
      expect(text).to.not.include(PASSWORD)
    }
    const right = await Promise.all(ROUTES.map((path) => ask(url, path, { headers: basic('operator', PASSWORD) })))
    expect(right.map(({ status }) => status)).to.deep.equal([200, 200, 200, 200, 200, 200, 200, 200, 404])
  })

  it('takes no other user, password or scheme', async () => {
    const { url } = await start({ credentials })
    const wrong: Record<string, string>[] = [
      basic('operator', 'wrong'), basic('Operator', PASSWORD), basic('operator', `${PASSWORD} `), basic('', ''),
      { authorization: `Bearer ${PASSWORD}` }, { authorization: 'Basic' }, { authorization: 'Basic !!!' },
      basic(`operator:${PASSWORD}`, ''),
    ]
    for (const headers of wrong) expect((await ask(url, '/api/status', { headers })).status).to.equal(401)
    expect((await ask(url, '/livez/', { headers: {} })).status).to.equal(401)
    expect((await ask(url, '//readyz', { headers: {} })).status).to.equal(401)
  })

  it('on loopback it answers for no foreign name', async () => {
    const { url, port } = await start()
    for (const host of [
      'evil.example', `evil.example:${port}`, '127.0.0.1.evil.example', 'localhost.evil.example', '10.0.0.1', '@',
      '127.0.0.1@evil.example',
    ]) {
      expect([host, (await ask(url, '/', { headers: { host } })).status]).to.be.deep.oneOf([[host, 421], [host, 400]])
    }
    for (const host of [`localhost:${port}`, '127.0.0.1', `[::1]:${port}`]) {
      expect((await ask(url, '/', { headers: { host } })).status, host).to.equal(200)
    }
  })

  it('changes nothing for a page of another origin', async () => {
    const { url } = await start({ credentials })
    const put = (headers: Record<string, string>) =>
      ask(url, '/board/api/queues/pause', { method: 'PUT', headers: { ...basic('operator', PASSWORD), ...headers } })
    for (const headers of [
      { origin: 'http://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' }, { 'sec-fetch-site': 'none' },
      { origin: url.replace('127.0.0.1', 'localhost') },
    ]) expect((await put(headers)).status, JSON.stringify(headers)).to.equal(403)
    expect((await put({ origin: url, 'sec-fetch-site': 'same-origin' })).status).to.equal(405)
  })

  it('takes no large body and none of unknown length', async () => {
    const { url } = await start()
    const post = (headers: Record<string, string>, body: string) =>
      ask(url, '/api/status', { method: 'POST', headers, body })
    const body = 'x'.repeat(70_000)
    expect((await post({ 'content-length': String(body.length) }, body)).status).to.equal(413)
    expect((await post({ 'transfer-encoding': 'chunked' }, 'x')).status).to.equal(411)
  })

  it('sends headers that keep pages, frames, caches and sniffing away, on every answer', async () => {
    const { url } = await start({ credentials })
    const known = { headers: basic('operator', PASSWORD) }
    const answers = await Promise.all(ROUTES.flatMap((path) => [ask(url, path), ask(url, path, known)]))
    for (const { headers } of answers) {
      expect(headers['content-security-policy']).to.include("default-src 'none'").and.include("frame-ancestors 'none'")
      expect(headers['content-security-policy']).to.not.match(/https?:|\*|unsafe-eval/)
      expect(headers).to.include({
        'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY', 'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
      })
      expect(headers).to.not.have.any.keys('server', 'x-powered-by', 'access-control-allow-origin')
    }
  })

  it('drops a slash at the end, and never leads to another host', async () => {
    const { url } = await start()
    const to = async (path: string) => (await ask(url, path)).headers.location
    expect(await to('/board/')).to.equal('/board')
    expect(await to('/board/queue/convert/?status=failed')).to.equal('/board/queue/convert?status=failed')
    for (const path of ['//evil.example/', '/\\evil.example/', '///evil.example//']) {
      expect(await to(path) ?? '/', path).to.match(/^\/(?![/\\])/)
    }
  })
})

describe('server: start and end', () => {
  it('refuses to be reachable without a password, and leaves nothing open', async () => {
    const weak = { user: 'operator', password: 'short' }
    for (const host of ['0.0.0.0', '::', '192.168.1.4', 'lake-1']) {
      expect(await codeOf(start({ host }))).to.equal('UNSAFE_BIND')
      expect(await codeOf(start({ host, credentials: weak }))).to.equal('UNSAFE_BIND')
    }
    expect(open).to.deep.equal([])
  })

  it('is reachable with one', async () => {
    const { port } = await start({ host: '0.0.0.0', credentials })
    const url = `http://127.0.0.1:${port}`
    const host = 'lake.example'
    expect((await ask(url, '/', { headers: { host } })).status).to.equal(401)
    expect((await ask(url, '/', { headers: { host, ...basic('operator', PASSWORD) } })).status).to.equal(200)
  })

  it('says when the port is taken', async () => {
    const other = await new Promise<Server>((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => resolve(server))
    })
    const { port } = other.address() as AddressInfo
    const parts = serverParts({ port })
    expect(await codeOf(startServer(parts))).to.equal('BAD_CONFIG')
    other.close()
    expect(await parts.metrics.scrape(), 'still watching').to.not.include('candlelake_up{')
  })

  it('closes although a connection is kept open and another has said nothing', async () => {
    const server = await start()
    const silent = connect(server.port, '127.0.0.1')
    const ended = new Promise((resolve) => silent.once('close', resolve))
    await new Promise((resolve) => silent.once('connect', resolve))
    await fetch(`${server.url}/livez`)
    await server.close()
    await ended
    const gone: unknown = await ask(server.url, '/livez').catch((thrown: unknown) => thrown)
    expect(gone).to.be.an('error').with.property('code', 'ECONNREFUSED')
  })
})

describe('server of a worker', () => {
  it('answers metrics and probes and nothing else, behind the same guards', async () => {
    const { metrics } = serverParts()
    const log = keptLog()
    const checks = { queue: () => Promise.resolve() }
    const refused = startMetricsServer({ host: '0.0.0.0', port: 0, credentials: null, metrics, log, checks })
    expect(await codeOf(refused)).to.equal('UNSAFE_BIND')
    const server = await startMetricsServer({ host: '127.0.0.1', port: 0, credentials, metrics, log, checks })
    open.push(server)
    metrics.observe({ type: 'bytes', stage: 'download', count: 5 })
    const unknown = await Promise.all(['/livez', '/readyz', '/metrics', '/'].map((path) => ask(server.url, path)))
    expect(unknown.map(({ status }) => status)).to.deep.equal([200, 200, 401, 401])
    const headers = basic('operator', PASSWORD)
    const known = await Promise.all(['/metrics', '/', '/board'].map((path) => ask(server.url, path, { headers })))
    expect(known.map(({ status }) => status)).to.deep.equal([200, 404, 404])
    expect(known[0]?.text).to.include('candlelake_bytes_received_total{stage="download"} 5')
  })

  it('an address that somebody asked for needs no password, and shows counts, codes and versions only', async () => {
    const { metrics } = serverParts()
    const log = keptLog()
    const checks = { catalog: () => Promise.reject(new PipelineError('CATALOG_UNREACHABLE', 'postgres://u:canary@db')) }
    const partition = partitionOf('SECRETUSDT')
    const server = await startMetricsServer({ host: '0.0.0.0', exposed: true, port: 0, credentials: null, metrics, log, checks })
    open.push(server)
    metrics.observe({ type: 'finished', partition, state: 'failed', findings: [], code: 'DISK_FULL', message: 'canary' })
    const url = server.url.replace('0.0.0.0', '127.0.0.1')
    // A probe names the pod's address, and a scraper any name at all.
    const headers = { host: 'worker-3.lake:9464' }
    const answers = await Promise.all(['/livez', '/readyz', '/metrics', '/', '/api/status', '/board'].map((path) => ask(url, path, { headers })))
    expect(answers.map(({ status }) => status)).to.deep.equal([200, 503, 200, 404, 404, 404])
    for (const { text } of answers) expect(text).to.not.match(/canary|SECRETUSDT|postgres:/)
    expect((await ask(url, '/metrics', { method: 'POST' })).status).to.equal(404)
    const short = startMetricsServer({
      host: '0.0.0.0', exposed: true, port: 0, credentials: { user: 'u', password: 'short' }, metrics, log, checks,
    })
    expect(await codeOf(short), 'a password that is set is asked for, and must be worth it').to.equal('UNSAFE_BIND')
  })
})

describe('server: secrets', () => {
  const CANARY = 'canary-7b1f0c'

  it('shows none on any route, whatever fails and whatever the catalog holds', async () => {
    const boom = new Error(`connect ECONNREFUSED postgres://lake:${CANARY}@db:5432 ${CANARY}`)
    const parts = serverParts()
    const failing: Partial<ServerOptions>[] = [
      {
        plan: { runs: () => Promise.reject(boom), progress: () => Promise.reject(boom) },
        keeper: {
          states: () => Promise.reject(boom), summary: () => Promise.reject(boom), workers: () => Promise.reject(boom),
          quarantine: () => { throw boom },
        },
        queue: { counts: () => Promise.reject(boom), ping: () => Promise.reject(boom) },
        boards: () => Promise.reject(boom),
      },
      {
        plan: {
          runs: () => parts.plan.runs({ limit: 1 }),
          progress: async (id) => {
            const progress = await parts.plan.progress(id)
            const request = { symbols: [CANARY], url: `redis://:${CANARY}@cache` }
            return { ...progress, run: { ...progress.run, request } }
          },
        },
        keeper: {
          ...parts.keeper, states: () => Promise.resolve(statesOf({})),
          workers: async () => (await parts.keeper.workers()).map((worker) => ({ ...worker, host: CANARY })),
        },
      },
    ]
    for (const some of failing) {
      const log = keptLog()
      const { url } = await start({ ...some, log, secrets: [CANARY] })
      for (const path of [...ROUTES, `/${CANARY}`, '/board/queue/x', '/board/api/redis/stats', `/board/${CANARY}/`]) {
        const { text, headers } = await ask(url, path)
        expect(text, path).to.not.match(/ at .*:\d+:\d+|node_modules|ECONNREFUSED/)
        // A redirect may only repeat what was asked for.
        if (!path.includes(CANARY)) expect(JSON.stringify([text, headers]), path).to.not.include(CANARY)
      }
      expect(JSON.stringify(log.lines)).to.not.include(CANARY)
    }
  })
})
