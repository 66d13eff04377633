import { UnrecoverableError } from 'bullmq'
import { expect } from 'chai'
import { encodeStageJob, jobIdOf } from '../../../src/jobs/stage-job.js'
import { STAGES } from '../../../src/jobs/stages.js'
import { openBackend } from '../../../src/queues/backend.js'
import type { QueueBackend, StoredJob } from '../../../src/queues/queue-backend.js'
import type { Listening } from '../../../src/server/listen.js'
import { startServer } from '../../../src/server/start-server.js'
import { ask, basic, type Answer } from '../../support/ask.js'
import { freshDatabase } from '../../support/postgres.js'
import { acquireRedis } from '../../support/redis.js'
import { partitionOf, serverParts } from '../../support/server-parts.js'

const CANARY = 'canary-91d2aa'
const credentials = { user: 'operator', password: 'correct horse battery' }
const auth = basic(credentials.user, credentials.password)

const storedJob = (symbol: string): StoredJob => {
  const partition = partitionOf(symbol)
  const data = encodeStageJob({ partition, generation: 1, kind: 'backfill' })
  return { id: jobIdOf('convert', partition, 1), data, priority: 10 }
}
const failed = storedJob('BADUSDT')
const waiting = storedJob('BTCUSDT')
const done = storedJob('DONEUSDT')

const backends = {
  Redis: async () => {
    const { url, prefix } = await acquireRedis()
    return { backend: await openBackend({ url, prefix }), drop: () => Promise.resolve() }
  },
  Postgres: async () => {
    const database = await freshDatabase()
    return { backend: await openBackend({ url: null, postgres: database.connection }), drop: () => database.drop() }
  },
}

/** Leaves one job of convert completed and one failed, with an error that shows a password. */
async function workOff(backend: QueueBackend): Promise<void> {
  await backend.add('convert', [failed, done])
  const worker = backend.worker({
    stage: 'convert', concurrency: 1, lockMs: 30_000, name: 'test',
    process: (job) => job.id === failed.id
      ? Promise.reject(new UnrecoverableError(`cannot reach redis://lake:${CANARY}@cache and ${CANARY}-too`))
      : Promise.resolve(),
  })
  worker.on('error', () => undefined)
  const queue = backend.queue('convert')
  const until = Date.now() + 30_000
  for (let ended = 0; ended < 2;) {
    if (Date.now() > until) throw new Error('the two jobs did not end within 30 s')
    await new Promise((resolve) => setTimeout(resolve, 50))
    const counts = await queue.getJobCounts('completed', 'failed')
    ended = (counts['completed'] ?? 0) + (counts['failed'] ?? 0)
  }
  await worker.close()
}

type ShownQueue = { name: string; counts: Record<string, number>; jobs: { id: string; data: unknown }[] }
type Shown = { queues: ShownQueue[] }
const shownOf = (answer: Answer): Shown => JSON.parse(answer.text) as Shown

for (const [name, open] of Object.entries(backends)) {
  describe(`server: the board over queues on ${name}`, () => {
    let backend: QueueBackend
    let drop: () => Promise<void>
    let server: Listening
    let guarded: Listening

    before(async () => {
      ({ backend, drop } = await open())
      await workOff(backend)
      await backend.add('convert', [waiting])
      const boards = STAGES.map((stage) => backend.queue(stage))
      server = await startServer(serverParts({ boards, secrets: [CANARY] }))
      const later = () => Promise.resolve(boards)
      guarded = await startServer(serverParts({ boards: later, credentials, secrets: [CANARY] }))
    })
    after(async () => {
      await Promise.all([server.close(), guarded.close()])
      await backend.close()
      await drop()
    })

    const put = (path: string, o: { body?: string } = {}) => ask(guarded.url, path, {
      method: 'PUT', headers: { ...auth, 'content-length': String(o.body?.length ?? 0) }, ...o,
    })

    it('shows every stage and its jobs, payloads in words', async () => {
      const { queues } = shownOf(await ask(server.url, '/board/api/queues?activeQueue=convert&status=latest&page=1'))
      expect(queues.map((queue) => queue.name)).to.deep.equal(STAGES)
      const convert = queues.find((queue) => queue.name === 'convert')
      expect(convert?.counts).to.include({ failed: 1, completed: 1, prioritized: 1 })
      expect(convert?.jobs.find((job) => job.id === waiting.id)?.data).to.deep.equal({
        partition: 'spot-klines/BTCUSDT/1h/2024-01', generation: 1, kind: 'backfill',
      })
    })

    it('pages and files load, and name no other host', async () => {
      const paths = ['/board', '/board/queue/convert', `/board/queue/convert/${failed.id}`, '/board/job-schedulers']
      const pages = await Promise.all(paths.map((path) => ask(server.url, path)))
      for (const { status, text } of pages) {
        expect(status).to.equal(200)
        expect(text).to.include('<base href="/board/"').and.not.match(/https?:\/\/|(?:href|src)="\/\//)
      }
      const files = [...(pages[0]?.text ?? '').matchAll(/(?:href|src)="(static\/[^"]+)"/g)].map((match) => match[1])
      expect(files.length).to.be.greaterThan(4)
      for (const file of files) expect((await ask(server.url, `/board/${file}`)).status, file).to.equal(200)
    })

    it('shows an error of a job without the secrets in it', async () => {
      for (const path of [`/convert/${failed.id}`, '?activeQueue=convert&status=failed&page=1']) {
        const { status, text } = await ask(server.url, `/board/api/queues${path}`)
        expect(status).to.equal(200)
        expect(text).to.include('cannot reach redis://[redacted]@cache').and.not.include(CANARY)
      }
    })

    it('without a password nothing can be changed', async () => {
      const writes = [
        ['PUT', `/convert/${failed.id}/retry`], ['PUT', '/convert/retry/failed'], ['PUT', '/convert/obliterate'],
        ['PUT', '/pause'], ['PUT', '/resume'], ['PUT', '/convert/pause'], ['PUT', '/convert/empty'],
        ['PUT', '/convert/clean/failed'], ['PUT', `/convert/${failed.id}/clean`], ['POST', '/convert/add'],
        ['PATCH', `/convert/${waiting.id}/priority`],
        ['PATCH', `/convert/${waiting.id}/update-data`], ['PUT', '/convert/concurrency'], ['PUT', '/convert/promote'],
      ] as const
      for (const [method, path] of writes) {
        const body = path.endsWith('/add') ? '{"name":"x","data":{}}' : '{}'
        const headers = { 'content-type': 'application/json', 'content-length': String(body.length) }
        const refused = await ask(server.url, `/board/api/queues${path}`, { method, headers, body })
        expect([path, refused.status]).to.deep.equal([path, 405])
      }
      const queue = backend.queue('convert')
      expect(await queue.getJobCounts()).to.include({ failed: 1, prioritized: 1, completed: 1 })
      expect(await queue.isPaused()).to.equal(false)
    })

    it('with one, only what failed can be retried', async () => {
      const api = '/board/api/queues'
      expect((await ask(guarded.url, `${api}/convert/${failed.id}/retry`, { method: 'PUT' })).status).to.equal(401)
      for (const path of [
        '/convert/obliterate', '/convert/pause', '/pause', '/convert/empty', '/convert/clean/failed',
        '/convert/retry/completed', `/convert/${done.id}/retry`, `/convert/${waiting.id}/retry`,
        `/convert/${failed.id}/clean`,
      ]) {
        expect([path, (await put(`${api}${path}`)).status]).to.deep.equal([path, 405])
      }
      const queue = backend.queue('convert')
      expect(await queue.getJobState(failed.id)).to.equal('failed')
      expect((await put(`${api}/convert/${failed.id}/retry`)).status).to.equal(204)
      expect(await queue.getJobState(failed.id)).to.be.oneOf(['waiting', 'prioritized'])
      expect((await put(`${api}/convert/retry/failed`)).status).to.equal(200)
    })

    it('answers 404 for queues and jobs that are not there', async () => {
      for (const path of ['/nothing/x', '/convert/nothing', '/nothing/workers']) {
        const { status, text } = await ask(server.url, `/board/api/queues${path}`)
        expect([path, status]).to.deep.equal([path, 404])
        expect(text).to.not.match(/node_modules|\.js:\d/)
      }
    })
  })
}
