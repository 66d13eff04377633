import { isAbsolute, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { clip } from '../domain/dataset.js'
import { PipelineError } from '../domain/errors.js'

/** Where a Parquet file is: in a folder, on a web server, in a bucket. */
export type FileAddress =
  | { readonly kind: 'local'; readonly path: string }
  | { readonly kind: 'http'; readonly url: URL }
  | { readonly kind: 's3'; readonly bucketUrl: string; readonly key: string }

/**
 * Reads a path, `file://`, `http://`, `https://` or `s3://bucket/key`.
 * @throws {BAD_USAGE} any other scheme, and paths that DuckDB would take for a pattern
 */
export function parseFileAddress(text: string): FileAddress {
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(text)?.[1]?.toLowerCase()
  const url = scheme !== undefined && URL.canParse(text) ? new URL(text) : null
  if (scheme === undefined) return localAt(isAbsolute(text) ? text : resolve(text), text)
  if (url && scheme === 'file') return localAt(pathOf(url, text), text)
  if (url && (scheme === 'http' || scheme === 'https')) return { kind: 'http', url }
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/i.exec(text) ?? []
  if (bucket !== undefined && key !== undefined) return { kind: 's3', bucketUrl: `s3://${bucket}`, key }
  throw unusable(text, 'this is no address of a file')
}

/** A host, and what is no valid escape, is in no path. */
function pathOf(url: URL, text: string): string {
  try {
    return fileURLToPath(url)
  } catch {
    throw unusable(text, 'this is no address of a file on this machine')
  }
}

function localAt(path: string, text: string): FileAddress {
  if (text === '' || /[*?[\]\0]/.test(path)) throw unusable(text, 'a path has no * ? [ or ]')
  return { kind: 'local', path }
}

const unusable = (text: string, why: string): PipelineError =>
  new PipelineError('BAD_USAGE', `${why}: ${clip(text)}`, {
    do: 'use a path, https://host/file.parquet or s3://bucket/file.parquet',
  })
