import { expect } from 'chai'
import { printed, startCli, temporaryHome, until, type Home } from '../../support/cli.js'
import { tinyServer } from '../../support/tiny-server.js'

describe('a worker whose store takes requests and never answers', function () {
  this.timeout(120_000)
  let home: Home
  let store: Awaited<ReturnType<typeof tinyServer>>
  let asked = 0

  before(async () => {
    store = await tinyServer(() => void asked++)
    home = await temporaryHome({
      S3_ENDPOINT: store.url, S3_ACCESS_KEY_ID: 'some', S3_SECRET_ACCESS_KEY: 'canary', LAKE_URL: 's3://bucket/lake',
      STAGING_URL: 's3://bucket/staging', RECONCILE_SECONDS: '1', SHUTDOWN_GRACE_SECONDS: '1',
    })
  })
  after(async () => {
    await home.remove()
    await store.close()
  })

  it('ends in time all the same, although it reconciles just then', async () => {
    const worker = startCli(['worker'], home.env)
    await printed(worker, /takes jobs/)
    await until('it reconciles', () => asked > 0)
    const from = Date.now()
    worker.child.kill('SIGTERM')
    const ended = await worker.ended
    expect(ended.code, ended.stderr).to.equal(143)
    // No job is in hand, so that the grace is not used up; 5 s after it a supervisor kills.
    expect(Date.now() - from, 'ms until it ended').to.be.below(6_000)
    expect(ended.stderr).to.not.include('canary')
  })
})
