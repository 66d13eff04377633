import { expect } from 'chai'
import { archive, type Archive } from '../support/archive.js'
import { ask, type Answer } from '../support/ask.js'
import { printed, runCli, startCli, temporaryHome, until, type Home } from '../support/cli.js'
import { statesOf } from '../support/embedded.js'
import { startRedis, type TestRedis } from '../support/redis.js'

describe("acceptance: the own port of what works", function () {
  this.timeout(240_000)
  let served: Archive
  let redis: TestRedis
  let home: Home

  before(async () => {
    served = await archive()
    redis = await startRedis()
    home = await temporaryHome({ ARCHIVE_URL: served.url, QUEUE_URL: redis.url, METRICS_PORT: '0' }, { up: true })
  })

  after(async () => {
    await home.remove()
    await redis.stop()
    await served.close()
  })

  const checksOf = ({ text }: Answer): Record<string, string> => (JSON.parse(text) as { checks: Record<string, string> }).checks

  it('says alive, ready and what was done; not ready while the queue is away, and while it drains', async () => {
    await served.month({ symbol: 'PORTUSDT', interval: '1d', month: '2024-01' })
    const worker = startCli(['worker'], home.env)
    const [, url = ''] = await printed(worker, /"url":"(http:\/\/127\.0\.0\.1:\d+)"/)
    await printed(worker, /takes jobs/)
    const ready = await until('it is ready', async () => {
      const answer = await ask(url, '/readyz')
      return answer.status === 200 ? answer : null
    })
    expect(checksOf(ready)).to.deep.equal({ catalog: 'ok', queue: 'ok', lake: 'ok', workers: 'ok' })
    expect((await ask(url, '/livez')).status).to.equal(200)
    expect((await ask(url, '/metrics')).text).to.match(/^candlelake_queue_silence_seconds \d/m)

    await redis.kill9()
    const away = await until('the queue is missed', async () => {
      const answer = await ask(url, '/readyz')
      return answer.status === 503 ? answer : null
    })
    expect(checksOf(away)).to.include({ catalog: 'ok', lake: 'ok', workers: 'ok' })
    expect((await ask(url, '/livez')).status, 'alive all the same').to.equal(200)
    await redis.restart()
    await until('it is ready again', async () => (await ask(url, '/readyz')).status === 200)

    served.faults.set({ match: /PORTUSDT.*\.zip$/, latencyMs: 6_000 })
    const args = ['backfill', '--symbols', 'PORTUSDT', '--intervals', '1d', '--from', '2024-01', '--to', '2024-01', '--detach']
    expect((await runCli(args, home.env)).code).to.equal(0)
    await until('it is at work', async () => (await statesOf(home.dir))['downloading'] === 1)
    worker.child.kill('SIGTERM')
    const draining = await until('it drains', async () => {
      const answer = await ask(url, '/readyz').catch(() => null)
      return answer?.status === 503 ? answer : null
    })
    expect(checksOf(draining)).to.include({ queue: 'ok', workers: 'INTERRUPTED' })
    expect((await ask(url, '/livez')).status).to.equal(200)
    expect((await worker.ended).code).to.equal(143)
  })

  it('schedule run has one too, and counts its ticks', async () => {
    const run = startCli(['schedule', 'run'], home.env)
    const [, url = ''] = await printed(run, /"url":"(http:\/\/127\.0\.0\.1:\d+)"/)
    await until('it is ready', async () => (await ask(url, '/readyz')).status === 200)
    const series = ['--symbols', 'PORTUSDT', '--intervals', '1d', '--cron', '* * * * * *']
    expect((await runCli(['schedule', 'add', 'migrate', ...series], home.env)).code).to.equal(0)
    await until('a tick is counted', async () => (await ask(url, '/metrics')).text
      .includes('candlelake_schedule_ticks_total{op="migrate",outcome="ok",code=""}'))
    run.child.kill('SIGTERM')
    expect((await run.ended).code).to.equal(143)
    expect((await runCli(['schedule', 'remove', 'migrate'], home.env)).code).to.equal(0)
  })

  it('another address than loopback is refused, unless METRICS_HOST asks for it', async () => {
    const refused = await runCli(['worker', '--json'], { ...home.env, SERVER_HOST: '0.0.0.0' })
    expect(refused.code).to.equal(1)
    expect(refused.stderr).to.include('"UNSAFE_BIND"')
    const worker = startCli(['worker'], { ...home.env, METRICS_HOST: '0.0.0.0' })
    const [, port = ''] = await printed(worker, /"url":"http:\/\/0\.0\.0\.0:(\d+)"/)
    expect((await ask(`http://127.0.0.1:${port}`, '/livez', { headers: { host: 'worker-3:9464' } })).status).to.equal(200)
    worker.child.kill('SIGTERM')
    expect((await worker.ended).code).to.equal(143)
  })
})
