import { expect } from 'chai'
import { archive, type Archive } from '../support/archive.js'
import { lastJson, printed, runCli, startCli, temporaryHome, until, type Home, type Running } from '../support/cli.js'
import { acquireS3, newPrefix, type TestS3 } from '../support/s3.js'
import { startS3FaultProxy, type S3FaultProxy } from '../support/s3-fault-proxy.js'
import { keysOf, putText, removeOne } from '../support/s3-look.js'

const MARKER = '_catalog.json'
const ASKED = ['backfill', '--symbols', 'AUSDT', '--intervals', '1d', '--from', '2024-01', '--to', '2024-02', '--detach', '--json']

type Status = { lake: { partitions: Record<string, number> }; queue: Record<string, Record<string, number>> }

describe('acceptance: a lake that turns out to be of another catalog after its worker has started', function () {
  this.timeout(180_000)
  let served: Archive
  let s3: TestS3
  let proxy: S3FaultProxy
  let home: Home
  let worker: Running | null = null
  let lake: string

  before(async () => {
    served = await archive()
    await served.months({ symbol: 'AUSDT', interval: '1d' }, ['2024-01', '2024-02'])
    s3 = await acquireS3()
    proxy = await startS3FaultProxy(s3.endpoint)
    lake = newPrefix(s3)
    home = await temporaryHome({
      ARCHIVE_URL: served.url, LAKE_URL: lake, STAGING_URL: newPrefix(s3), S3_ENDPOINT: proxy.endpoint, S3_REGION: s3.region,
      S3_ACCESS_KEY_ID: s3.accessKeyId, S3_SECRET_ACCESS_KEY: s3.secretAccessKey, RECONCILE_SECONDS: '2',
    }, { up: true })
  })

  after(async () => {
    worker?.child.kill('SIGTERM')
    await worker?.ended
    await home.remove()
    await proxy.close()
    await served.close()
  })

  const status = async (): Promise<Status> => lastJson(await runCli(['status', '--json'], home.env)) as Status
  const partitions = async (): Promise<Record<string, number>> => (await status()).lake.partitions

  it('nothing is published or swept and no attempt spent; where the other catalog is gone, the jobs go on by themselves', async () => {
    proxy.choose = () => 'denied'
    worker = startCli(['worker'], home.env)
    await printed(worker, /takes jobs/)
    expect(proxy.happened.get('denied'), 'it could not look').to.be.greaterThan(0)
    await putText(s3, lake, MARKER, JSON.stringify({ v: 1, catalog: 'another', numericType: 'double', replaced: [] }))
    const orphan = '_incoming/spot-klines/ausdt/1d/2024-01/g1-dead.parquet'
    await putText(s3, lake, orphan, 'of the other catalog')
    proxy.choose = () => null
    const detached = await runCli(ASKED, home.env)
    expect(detached.code, detached.stderr).to.equal(0)
    await printed(worker, /LAKE_MISMATCH.*is of catalog another.*reconcile\.failed/)
    await until('a job was put off', async () => (await status()).queue['download']?.['delayed'])
    expect(await partitions()).to.include({ planned: 2, failed: 0, verified: 0 })
    expect(served.sent(), 'downloads for nobody').to.deep.equal([])
    expect(await keysOf(s3, lake)).to.have.members([MARKER, orphan])
    await removeOne(s3, lake, MARKER)
    await until('both are verified', async () => (await partitions())['verified'] === 2, 120_000)
    expect(await keysOf(s3, lake)).to.include(MARKER)
  })
})
