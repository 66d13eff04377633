import { openFileObjectStore } from '../../src/adapters/file-store/file-object-store.js'
import type { ConditionalWrites } from '../../src/adapters/s3-store/conditions.js'
import { openS3ObjectStore } from '../../src/adapters/s3-store/s3-object-store.js'
import { S3Link, type S3Connection } from '../../src/adapters/s3-store/s3-link.js'
import { acquireS3, newPrefix, OUR_KEYS, s3Connection } from '../support/s3.js'
import { startS3Server, type TestS3Server } from '../support/s3-server/s3-server.js'
import { tempFolder } from '../support/temp-folder.js'
import { objectStoreContract } from './object-store.contract.js'
import type { OpenStore } from './store-on-trial.js'

objectStoreContract({
  name: 'a folder',
  open: async () => {
    const folder = await tempFolder()
    const store = await openFileObjectStore({ url: folder.path })
    return { store, close: () => folder.remove() }
  },
})

objectStoreContract({ name: 'S3', open: () => onShared({}) })
objectStoreContract({ name: 'S3, in parts, with the checksums of the SDK', open: () => onShared({ checksums: 'when_supported' }, 6 * 1_048_576) })
objectStoreContract({ name: 'S3, conditions kept by looking', open: () => onShared({}, undefined, 'off') })

for (const dialect of ['r2', 'parts', 'off'] as const) {
  let server: TestS3Server
  describe(`a server that keeps conditions like this: ${dialect}`, () => {
    before(async () => {
      server = await startS3Server({ keys: { [OUR_KEYS.accessKeyId]: OUR_KEYS.secretAccessKey }, dialect })
      server.bucket('trial')
    })
    after(() => server.close())
    objectStoreContract({
      name: `S3 (${dialect})`,
      open: () => Promise.resolve(onS3({ ...OUR_KEYS, region: 'auto', endpoint: server.endpoint, bucket: 'trial' }, {})),
    })
  })
}

async function onShared(more: Partial<S3Connection>, partsFromBytes?: number, conditionalWrites?: ConditionalWrites): Promise<OpenStore> {
  return onS3(await acquireS3(), more, partsFromBytes, conditionalWrites)
}

function onS3(
  s3: Parameters<typeof s3Connection>[0] & { bucket: string }, more: Partial<S3Connection>, partsFromBytes?: number,
  conditionalWrites: ConditionalWrites = 'auto',
): OpenStore {
  const link = new S3Link(s3Connection(s3, more))
  const parts = partsFromBytes === undefined ? {} : { partsFromBytes }
  const store = openS3ObjectStore({ url: newPrefix(s3), link, conditionalWrites, ...parts })
  return { store, close: () => link.close() }
}
