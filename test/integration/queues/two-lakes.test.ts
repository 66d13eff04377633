import { expect } from 'chai'
import { pathToFileURL } from 'node:url'
import type pg from 'pg'
import { openServices, type Services } from '../../../src/compose-services.js'
import { resolveConfig } from '../../../src/config.js'
import { startWorkers } from '../../../src/workers/runtime.js'
import { DONE, jobOf, lines, until } from '../../contract/queue.harness.js'
import { freshDatabase, type TestDatabase } from '../../support/postgres.js'
import { acquireRedis } from '../../support/redis.js'
import { tempFolder } from '../../support/temp-folder.js'

const urlOf = ({ host, user, database }: pg.PoolConfig): string =>
  `postgres://${user ?? ''}@${encodeURIComponent(host ?? '')}/${database ?? ''}`

describe('queues: two lakes on one server', function () {
  this.timeout(90_000)
  const undo: (() => Promise<unknown>)[] = []
  const database = async (): Promise<TestDatabase> => {
    const fresh = await freshDatabase()
    undo.push(() => fresh.drop())
    return fresh
  }
  afterEach(async () => {
    while (undo.length > 0) await undo.pop()?.()
  })

  /** The services of a process whose catalog and lake are nobody else's. */
  const lake = async (queueUrl: string): Promise<Services> => {
    const [home, catalog] = [await tempFolder(), await database()]
    undo.push(() => home.remove())
    const environment = {
      CANDLELAKE_HOME: home.path, DATABASE_URL: urlOf(catalog.connection), LAKE_URL: pathToFileURL(home.path).href, QUEUE_URL: queueUrl,
    }
    const { config } = await resolveConfig({ flags: {}, environment, dotenv: {}, userHome: home.path, cores: 2 })
    const services = openServices(config, lines().log)
    undo.push(() => services.close())
    return services
  }

  for (const kind of ['redis', 'postgres'] as const) {
    it(`on ${kind} neither takes, counts or hides the other's jobs, though partition and generation are the same`, async () => {
      const url = kind === 'redis' ? (await acquireRedis()).url : urlOf((await database()).connection)
      const [one, two] = [await lake(url), await lake(url)]
      const job = jobOf(1)
      for (const services of [one, two]) await (await services.queue()).enqueue([job])

      const taken: string[] = []
      const working = startWorkers({
        backend: await one.backend(), stages: [{ stage: job.stage, concurrency: 4 }], log: lines().log, name: 'one',
        run: () => Promise.resolve((taken.push('one'), DONE)),
      })
      undo.push(() => working.close())
      await until('the first lake is done', async () => (await (await one.queue()).counts())[job.stage].completed === 1)
      expect(taken).to.deep.equal(['one'])
      expect((await (await two.queue()).counts())[job.stage], 'of the second').to.include({ waiting: 1, completed: 0 })
      expect(await (await two.queue()).alive([job])).to.have.length(1)
      expect(await (await one.queue()).alive([job])).to.deep.equal([])

      const again = await two.backend()
      expect(again.kind).to.equal(kind)
      expect(await again.queue(job.stage).getJobCountByTypes('prioritized', 'waiting')).to.equal(1)
    })
  }
})
