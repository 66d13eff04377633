import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import { checkKeyPrefix } from '../../domain/object-key.js'
import type { ObjectInfo } from '../../domain/ports/object-store.js'
import { PROBES } from './conditions.js'
import { plain, wholeSeconds } from './object-info.js'
import { s3Failure } from './s3-failure.js'
import type { S3Link } from './s3-link.js'
import type { S3Place } from './s3-place.js'

/** Every object below a prefix, page after page, in the byte order of the keys, which is the server's own. */
export async function* listObjects(link: S3Link, place: S3Place, prefix: string): AsyncGenerator<ObjectInfo> {
  for await (const object of listAll(link, place, checkKeyPrefix(prefix))) {
    if (!object.key.startsWith(PROBES)) yield object
  }
}

/** The same with the probes. */
export async function* listAll(link: S3Link, { bucket, base, url }: S3Place, prefix: string): AsyncGenerator<ObjectInfo> {
  let token: string | undefined
  do {
    const page = await link.client.send(new ListObjectsV2Command({
      Bucket: bucket, Prefix: base + prefix, ...(token === undefined ? {} : { ContinuationToken: token }),
    })).catch((thrown: unknown) => {
      throw s3Failure(thrown, url)
    })
    for (const { Key, Size, ETag, LastModified } of page.Contents ?? []) {
      const key = Key?.slice(base.length) ?? ''
      // Consoles make "folders": empty objects whose keys end in a slash.
      if (key === '' || key.endsWith('/')) continue
      yield { key, bytes: Size ?? 0, etag: plain(ETag), lastModified: wholeSeconds(LastModified) }
    }
    token = page.IsTruncated ? page.NextContinuationToken : undefined
  } while (token !== undefined)
}
