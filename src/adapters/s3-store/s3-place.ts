import { PipelineError } from '../../domain/errors.js'

/** A bucket, and what every key of ours in it begins with: empty, or with a slash at its end. */
export type S3Place = { readonly bucket: string; readonly base: string; readonly url: string }

/** What `s3://bucket/prefix` names. @throws {BAD_CONFIG} */
export function parseS3Url(url: string): S3Place {
  const m = /^s3:\/\/([a-z0-9][a-z0-9._-]{1,254})(?:\/(.*))?$/i.exec(url)
  const prefix = (m?.[2] ?? '').replace(/\/+$/, '')
  if (!m || /(^|\/)(\.{0,2})(\/|$)/.test(prefix === '' ? 'x' : prefix) || /[\x00-\x1f\x7f\\?#]/.test(prefix)) {
    throw new PipelineError('BAD_CONFIG', 'this is not the URL of a bucket', { do: 'use s3://bucket/prefix' })
  }
  const [, bucket = ''] = m
  return { bucket, base: prefix === '' ? '' : `${prefix}/`, url: `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}` }
}
