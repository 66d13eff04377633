import { openFileStaging } from '../../src/adapters/file-store/file-staging.js'
import { S3Link } from '../../src/adapters/s3-store/s3-link.js'
import { openS3Staging } from '../../src/adapters/s3-store/s3-staging.js'
import { acquireS3, newPrefix, s3Connection } from '../support/s3.js'
import { tempFolder } from '../support/temp-folder.js'
import { stagingContract } from './staging.contract.js'

stagingContract({
  name: 'a folder',
  open: async () => {
    const folder = await tempFolder()
    const open = () => openFileStaging({ url: folder.path })
    return { staging: await open(), reopen: open, close: () => folder.remove() }
  },
})

stagingContract({
  name: 'S3',
  open: async () => {
    const s3 = await acquireS3()
    const [link, url] = [new S3Link(s3Connection(s3)), newPrefix(s3)]
    const [here, elsewhere] = [await tempFolder(), await tempFolder()]
    return {
      staging: openS3Staging({ url, link, cacheDir: here.path }),
      // Another host: the bucket is all that it shares.
      reopen: () => Promise.resolve(openS3Staging({ url, link, cacheDir: elsewhere.path })),
      close: async () => {
        await link.close()
        await here.remove()
        await elsewhere.remove()
      },
    }
  },
})
