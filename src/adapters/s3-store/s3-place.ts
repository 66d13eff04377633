import { BUCKET_URL, bucketUrlOf } from '../../domain/bucket-url.js'
import { PipelineError } from '../../domain/errors.js'

/** A bucket, and what every key of ours in it begins with: empty, or with a slash at its end. */
export type S3Place = { readonly bucket: string; readonly base: string; readonly url: string }

/** What `s3://bucket/prefix` names. @throws {BAD_CONFIG} */
export function parseS3Url(url: string): S3Place {
  const is = bucketUrlOf(url)
  if (!is) throw new PipelineError('BAD_CONFIG', 'this is not the URL of a bucket', { do: `use ${BUCKET_URL}` })
  const { bucket, prefix } = is
  return { bucket, base: prefix === '' ? '' : `${prefix}/`, url: `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}` }
}
