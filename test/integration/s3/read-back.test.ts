import { expect } from 'chai'
import type { S3Connection } from '../../../src/adapters/s3-store/s3-link.js'
import type { S3StoreOptions } from '../../../src/adapters/s3-store/s3-object-store.js'
import { openS3Rig, type S3Rig } from '../../faults/s3/s3-rig.js'
import { failingWith } from '../../support/failing-with.js'
import { OUR_KEYS, type TestS3 } from '../../support/s3.js'
import { startS3Server } from '../../support/s3-server/s3-server.js'

const PROBE = 'PUT probe'
type More = { server?: Parameters<typeof startS3Server>[0]; connection?: Partial<S3Connection>; store?: Partial<S3StoreOptions> }

describe('a put is read back until the server has shown that it compares digests', () => {
  const cleanups: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup()
  })

  const rigWith = async ({ server: options, ...more }: More): Promise<S3Rig> => {
    const server = await startS3Server({ ...(options ?? {}), keys: { [OUR_KEYS.accessKeyId]: OUR_KEYS.secretAccessKey } })
    server.bucket('trial')
    const s3: TestS3 = { ...OUR_KEYS, endpoint: server.endpoint, region: 'us-east-1', bucket: 'trial', server }
    const rig = await openS3Rig({ s3, ...more })
    cleanups.push(() => rig.close(), () => server.close())
    return rig
  }
  /** The requests of one put after another, without a condition unless it is said. */
  const requestsOf = async (rig: S3Rig, keys: readonly string[], isNew = false): Promise<string[][]> => {
    const all: string[][] = []
    for (const key of keys) {
      const seen: string[] = []
      rig.proxy.choose = ({ method, path }) => {
        seen.push(path.includes('/.probe/') ? `${method} probe` : method)
        return null
      }
      const file = await rig.file(Buffer.from(key))
      await rig.store.put({ key, ...file, ...(isNew ? { condition: { ifNoneMatch: '*' } } : {}) })
      all.push(seen)
    }
    return all
  }

  it('one that refuses the probe is asked once; from then on a put is one request', async () => {
    const rig = await rigWith({})
    expect(await requestsOf(rig, ['a', 'b', 'c'])).to.deep.equal([['PUT', 'HEAD'], [PROBE, 'PUT'], ['PUT']])
    expect(rig.s3.server?.bucket('trial').page('', '', 10).items.map(({ key }) => key.slice(-2))).to.deep.equal(['/a', '/b', '/c'])
  })

  it('one that ignores the digest is found out, keeps no probe, and has every put read back', async () => {
    const rig = await rigWith({ server: { keys: {}, ignoresDigests: true } })
    expect(await requestsOf(rig, ['a', 'b', 'c'])).to.deep.equal([['PUT', 'HEAD'], [PROBE, 'DELETE probe', 'PUT', 'HEAD'], ['PUT', 'HEAD']])
    expect(rig.s3.server?.bucket('trial').page('', '', 10).items).to.have.length(3)
    rig.proxy.choose = ({ method }) => (method === 'HEAD' ? 'shorten' : null)
    await failingWith('OBJECT_CORRUPT', rig.store.put({ key: 'd', ...(await rig.file(Buffer.from('short'))) }))
  })

  it('with the checksums of the SDK nothing is signed with the digest, so that all are read back and none is asked', async () => {
    const rig = await rigWith({ connection: { checksums: 'when_supported' } })
    expect(await requestsOf(rig, ['a', 'b', 'c'])).to.deep.equal([['PUT', 'HEAD'], ['PUT', 'HEAD'], ['PUT', 'HEAD']])
  })

  it('what has a condition is read back only where the condition is kept by looking', async () => {
    const kept = await rigWith({ store: { conditionalWrites: 'r2' }, server: { keys: {}, dialect: 'r2' } })
    expect(await requestsOf(kept, ['a', 'b', 'c'], true)).to.deep.equal([['PUT', 'HEAD'], [PROBE, 'PUT'], ['PUT']])
    const looking = await rigWith({ store: { conditionalWrites: 'off' }, server: { keys: {}, dialect: 'off' } })
    const [first, ...later] = await requestsOf(looking, ['a', 'b', 'c'], true)
    expect(first, 'with a look at the bucket').to.deep.equal(['HEAD', 'HEAD', 'PUT', 'HEAD'])
    expect(later).to.deep.equal([['HEAD', 'PUT', 'HEAD'], ['HEAD', 'PUT', 'HEAD']])
  })

  it('what comes in parts is read back', async () => {
    const rig = await rigWith({ store: { partsFromBytes: 1 } })
    const [, second] = await requestsOf(rig, ['a', 'b'])
    expect(second?.at(-1)).to.equal('HEAD')
    expect(second).to.not.include(PROBE)
  })

  it('a probe that is refused for another reason shows nothing', async () => {
    const rig = await rigWith({})
    await requestsOf(rig, ['a'])
    const seen: string[] = []
    rig.proxy.choose = ({ method, path }) => {
      seen.push(method)
      return path.includes('/.probe/') ? 'denied' : null
    }
    await rig.store.put({ key: 'b', ...(await rig.file(Buffer.from('b'))) })
    await rig.store.put({ key: 'c', ...(await rig.file(Buffer.from('c'))) })
    expect(seen.filter((method) => method !== 'DELETE')).to.deep.equal(['PUT', 'PUT', 'HEAD', 'PUT', 'HEAD'])
    expect(rig.proxy.happened.get('denied')).to.be.greaterThan(0)
  })
})
