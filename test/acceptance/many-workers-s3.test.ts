import { acquireS3, newPrefix } from '../support/s3.js'
import { digestsOf, keysOf, uploadsOf } from '../support/s3-look.js'
import { manyWorkers } from './many-workers.suite.js'

manyWorkers('lake and staging in buckets', async () => {
  const s3 = await acquireS3()
  const [lake, staging] = [newPrefix(s3), newPrefix(s3)]
  return {
    env: {
      LAKE_URL: lake, STAGING_URL: staging, S3_ENDPOINT: s3.endpoint, S3_REGION: s3.region,
      S3_ACCESS_KEY_ID: s3.accessKeyId, S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
    },
    objects: () => digestsOf(s3, lake),
    left: async () => [
      ...(await keysOf(s3, staging)), ...(await keysOf(s3, `${lake}/_incoming`)),
      ...(await uploadsOf(s3, lake)), ...(await uploadsOf(s3, staging)),
    ],
    close: () => Promise.resolve(),
  }
})
