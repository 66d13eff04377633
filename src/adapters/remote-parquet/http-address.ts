import { createHash } from 'node:crypto'
import { PipelineError } from '../../domain/errors.js'

/** What signs or dates an address, and says nothing of what lies there. Lower case. */
const SIGNATURE = new Set(
  ['sig', 'se', 'st', 'sp', 'sv', 'expires', 'signature', 'key-pair-id', 'policy', 'token'].concat(
    ['awsaccesskeyid', 'googleaccessid'],
  ),
)
const SIGNATURE_PREFIX = /^x-(amz|goog)-/

/** @throws {BAD_USAGE} */
export function parseHttpAddress(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : null
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  throw new PipelineError('BAD_USAGE', 'this is no http or https address', {
    do: 'use one like https://host/file.parquet',
  })
}

/**
 * What the parts of an address are kept under: a query may name another object (`?file=2`, `?versionId=…`), and a
 * signature is another every hour. The query itself, which may be a secret, is only there as a digest.
 */
export function cacheIdOf(url: URL): string {
  const id = `${url.origin}${url.pathname}`
  const naming = [...url.searchParams].filter(([name]) => !isSignature(name.toLowerCase()))
  if (naming.length === 0) return id
  return `${id}?${createHash('sha256').update(JSON.stringify(naming)).digest('hex')}`
}

const isSignature = (name: string): boolean => SIGNATURE.has(name) || SIGNATURE_PREFIX.test(name)
