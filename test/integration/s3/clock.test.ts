import { expect } from 'chai'
import { CreateMultipartUploadCommand } from '@aws-sdk/client-s3'
import { openS3ObjectStore } from '../../../src/adapters/s3-store/s3-object-store.js'
import { S3Link } from '../../../src/adapters/s3-store/s3-link.js'
import { OUR_KEYS, s3Connection } from '../../support/s3.js'
import { startS3Server } from '../../support/s3-server/s3-server.js'

const AHEAD_MS = 600_000

describe("unfinished uploads, swept by a host whose clock is not the store's", () => {
  for (const [whose, aheadMs] of [['fast', -AHEAD_MS], ['right', 0], ['slow', AHEAD_MS]] as const) {
    it(`an upload that has just begun is left alone by one that is ${whose}; an old one is not`, async () => {
      const server = await startS3Server({ keys: { [OUR_KEYS.accessKeyId]: OUR_KEYS.secretAccessKey }, aheadMs })
      const bucket = server.bucket('clocks')
      const link = new S3Link(s3Connection({ ...OUR_KEYS, region: 'auto', endpoint: server.endpoint }))
      const store = openS3ObjectStore({ url: 's3://clocks/lake', link })
      await link.client.send(new CreateMultipartUploadCommand({ Bucket: 'clocks', Key: 'lake/some' }))
      expect(await store.sweep(AHEAD_MS / 2)).to.equal(0)
      expect(bucket.uploads.size).to.equal(1)
      for (const [id, upload] of bucket.uploads) {
        bucket.uploads.set(id, { ...upload, initiated: new Date(upload.initiated.getTime() - AHEAD_MS) })
      }
      expect(await store.sweep(AHEAD_MS / 2), 'ten minutes later').to.equal(1)
      await link.close()
      await server.close()
    })
  }
})
