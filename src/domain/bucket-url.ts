/** `prefix` has no slash at its end, and is empty for the whole bucket. */
export type BucketUrl = { readonly bucket: string; readonly prefix: string }

/** What `s3://bucket/prefix` names; null for text that names no bucket as every server would, or more than one. */
export function bucketUrlOf(url: string): BucketUrl | null {
  const m = /^s3:\/\/([a-z0-9][a-z0-9._-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(url)
  const prefix = (m?.[2] ?? '').replace(/\/+$/, '')
  if (!m || /(^|\/)(\.{0,2})(\/|$)/.test(prefix === '' ? 'x' : prefix) || /[\x00-\x1f\x7f\\?#]/.test(prefix)) return null
  return { bucket: m[1] ?? '', prefix }
}

/** What is right, for people. */
export const BUCKET_URL = 's3://bucket/prefix, the bucket in small letters, with no query'
