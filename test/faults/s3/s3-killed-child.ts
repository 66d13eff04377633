/** Uploads one file in parts, until it is killed. */
import { openS3ObjectStore } from '../../../src/adapters/s3-store/s3-object-store.js'
import { S3Link } from '../../../src/adapters/s3-store/s3-link.js'
import { s3Connection, type TestS3 } from '../../support/s3.js'

export type UploadToDie = {
  readonly key: string
  readonly path: string
  readonly sha256Hex: string
  readonly url: string
  readonly s3: TestS3
}

process.once('disconnect', () => process.exit())
process.once('message', ({ key, path, sha256Hex, url, s3 }: UploadToDie) => {
  const store = openS3ObjectStore({ url, link: new S3Link(s3Connection(s3)), partsFromBytes: 8 * 1_048_576 })
  void store.put({ key, path, sha256Hex }).finally(() => process.exit())
})
