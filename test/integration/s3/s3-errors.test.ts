import { expect } from 'chai'
import { Agent } from 'undici'
import { openS3ObjectStore } from '../../../src/adapters/s3-store/s3-object-store.js'
import { openS3Staging } from '../../../src/adapters/s3-store/s3-staging.js'
import { S3Link, type S3Connection } from '../../../src/adapters/s3-store/s3-link.js'
import type { PipelineError } from '../../../src/domain/errors.js'
import { all } from '../../contract/store-on-trial.js'
import { failingWith } from '../../support/failing-with.js'
import { freePort } from '../../support/redis.js'
import { acquireS3, newPrefix, s3Connection, type TestS3 } from '../../support/s3.js'
import { openS3Rig, sha256, type S3Rig } from '../../faults/s3/s3-rig.js'

const CANARY = 'canary-in-a-secret'

describe('what the adapter says when S3 refuses', () => {
  let s3: TestS3
  const links: S3Link[] = []
  before(async () => {
    s3 = await acquireS3()
  })
  afterEach(async () => {
    for (const link of links.splice(0)) await link.close()
  })

  const storeWith = (more: Partial<S3Connection>, url = newPrefix(s3)) => {
    const link = new S3Link(s3Connection(s3, more))
    links.push(link)
    return openS3ObjectStore({ url, link })
  }
  const keys = (accessKeyId: string, secretAccessKey: string): Partial<S3Connection> =>
    ({ credentials: () => Promise.resolve({ accessKeyId, secretAccessKey, sessionToken: CANARY }) })
  const hides = (error: PipelineError): void => {
    const shown = `${error.message} ${JSON.stringify(error.facts)} ${error.stack} ${(error.cause as Error | undefined)?.stack}`
    expect(shown).to.not.include(CANARY)
  }

  it('a wrong secret and an unknown key are STORE_DENIED, with what to do and no secret', async () => {
    for (const credentials of [keys(s3.accessKeyId, CANARY), keys('nobody', CANARY)]) {
      const store = storeWith(credentials)
      for (const work of [() => store.head('a'), () => store.get({ key: 'a' }), () => all(store.list('')), () => store.delete('a')]) {
        const error = await failingWith('STORE_DENIED', work)
        expect(error.do).to.be.a('string')
        hides(error)
      }
    }
  })

  it('a bucket that does not exist is not an empty one: STORE_UNREACHABLE', async () => {
    const store = storeWith({}, 's3://candlelake-no-such-bucket/p')
    for (const work of [() => store.head('a'), () => store.get({ key: 'a' }), () => all(store.list(''))]) {
      const error = await failingWith('STORE_UNREACHABLE', work)
      expect(error.do).to.equal('create it, or correct its name in the URL')
    }
  })

  it('a server that nobody runs is STORE_UNREACHABLE, soon', async () => {
    const started = Date.now()
    const store = storeWith({ endpoint: `http://127.0.0.1:${await freePort()}`, dispatcher: new Agent() })
    const error = await failingWith('STORE_UNREACHABLE', store.head('a'))
    expect(error.facts).to.include({ store: 'ECONNREFUSED' })
    expect(Date.now() - started).to.be.lessThan(10_000)
  })

  describe('through a proxy', () => {
    let rig: S3Rig
    beforeEach(async () => {
      rig = await openS3Rig()
    })
    afterEach(() => rig.close())

    it('503 that does not end is STORE_BUSY, and the requests under way at once become fewer', async function () {
      this.timeout(60_000)
      rig.proxy.choose = () => 'slow-down'
      await failingWith('STORE_BUSY', rig.store.head('a'))
      expect(rig.proxy.happened.get('slow-down')).to.equal(10)
    })

    it('credentials that stay expired are STORE_DENIED, after new ones were asked for once', async () => {
      rig.proxy.choose = () => 'expired'
      await failingWith('STORE_DENIED', rig.store.get({ key: 'a' }))
      expect(rig.proxy.happened.get('expired')).to.equal(2)
    })

    it('an answer that comes late is waited for', async () => {
      rig.proxy.choose = () => 'latency'
      expect(await rig.store.head('a')).to.equal(null)
      expect(rig.proxy.happened.get('latency')).to.be.greaterThan(0)
    })

    it('from staging to lake the store copies by itself, and only what was staged', async () => {
      const [link, cacheDir] = [new S3Link(s3Connection({ ...rig.s3, endpoint: rig.proxy.endpoint })), rig.scratch]
      links.push(link)
      const staging = openS3Staging({ url: newPrefix(s3), link, cacheDir })
      const content = Buffer.from('staged')
      const file = await staging.keep({ key: '币安人生usdt/g1-a/data.parquet', ...(await rig.file(content)) })
      const place = staging.placeOf?.(file)
      if (!place || !rig.store.import) throw new Error('the adapter cannot copy from bucket to bucket')
      const seen: string[] = []
      rig.proxy.choose = ({ method, headers }) => {
        seen.push(`${method}${headers['x-amz-copy-source'] === undefined ? '' : ' copy'}`)
        return null
      }
      const info = await rig.store.import({ place, to: '_incoming/a', ...file })
      expect(info).to.include({ key: '_incoming/a', bytes: content.length })
      expect(seen).to.deep.equal(['HEAD', 'PUT copy', 'HEAD'])
      const other = { place, to: '_incoming/b', ...file }
      await failingWith('OBJECT_CORRUPT', rig.store.import({ ...other, sha256Hex: sha256(Buffer.from('other')) }))
      expect(await rig.store.import({ ...other, place: { ...place, service: 'elsewhere' } })).to.equal(null)
      await staging.clear('币安人生usdt/g1-a')
      await failingWith('OBJECT_ABSENT', rig.store.import(other))
      expect(await rig.store.head('_incoming/b')).to.equal(null)
    })
  })
})
