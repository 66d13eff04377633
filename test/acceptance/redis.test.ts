import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sampleArchive, type Sample } from '../support/archive.js'
import { filesBelow, lastJson, runCli, summaryOf, temporaryHome, type Ended, type Home } from '../support/cli.js'
import { startRedis, type TestRedis } from '../support/redis.js'

/** SHA-256 of every object of a home's lake, certificates left out: these hold times. */
const objectsOf = (home: Home): Record<string, string> => Object.fromEntries(
  filesBelow(join(home.dir, 'lake')).filter((name) => name.endsWith('.parquet'))
    .map((name) => [name, createHash('sha256').update(readFileSync(join(home.dir, 'lake', name))).digest('hex')]),
)

describe('acceptance: the same on Redis', function () {
  this.timeout(300_000)
  let sample: Sample
  let redis: TestRedis
  const homes: Home[] = []

  before(async () => {
    sample = await sampleArchive()
    redis = await startRedis()
  })

  after(async () => {
    for (const home of homes) await home.remove()
    await redis.stop()
    await sample.close()
  })

  it('the sample ends as it does in the embedded database: the same objects, byte for byte', async () => {
    const runs: Ended[] = []
    for (const queue of [{}, { QUEUE_URL: redis.url }]) {
      const home = await temporaryHome({ ARCHIVE_URL: sample.url, ...queue })
      homes.push(home)
      const args = ['backfill', '--symbols', 'all', '--intervals', 'all', '--from', sample.from, '--to', sample.to, '--json', '-q']
      runs.push(await runCli(args, home.env))
    }
    for (const run of runs) {
      expect(run.code, run.stderr).to.equal(0)
      expect(summaryOf(run).partitions).to.include({ verified: 12, quarantined: 0, failed: 0 })
      expect(summaryOf(run).rows).to.equal(269_132)
    }
    const [embedded, onRedis] = homes.map(objectsOf)
    expect(Object.keys(onRedis ?? {})).to.have.length(12)
    expect(onRedis).to.deep.equal(embedded)
    const doctor = lastJson(await runCli(['doctor', '--json'], homes[1]?.env ?? {})) as { items: { name: string; detail: string }[] }
    expect(doctor.items.find(({ name }) => name === 'queue')?.detail, 'it really was Redis').to.match(/^Redis \S+ at 127\.0\.0\.1:\d+$/)
  })

  it('a Redis that is emptied loses nothing: the same command does the rest', async () => {
    const home = homes[1] as Home
    const args = ['backfill', '--symbols', 'BTCUSDT', '--intervals', '1h', '--from', sample.from, '--to', sample.to, '--force']
    const detached = await runCli([...args, '--detach', '--json'], home.env)
    expect(lastJson(detached)).to.include({ todo: 3 })
    await redis.kill9()
    await redis.restart()
    const ended = await runCli([...args.slice(0, -1), '--json', '-q'], home.env)
    expect(ended.code, ended.stderr).to.equal(0)
    expect(summaryOf(ended).partitions).to.include({ verified: 3 })
    expect(objectsOf(home)).to.deep.equal(objectsOf(homes[0] as Home))
  })
})
