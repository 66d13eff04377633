import { diskFull } from '../../domain/disk-full.js'
import { PipelineError, type ErrorCode } from '../../domain/errors.js'

/**
 * What an answer of the store, or the lack of one, means. `busy`: slow down. `fault`: it may pass. `expired`: other
 * credentials may do. Everything else is final.
 */
export type FailureKind = 'busy' | 'fault' | 'expired' | 'absent' | 'precondition' | 'denied' | 'mangled' | 'refused' | 'other'

type Answer = { readonly name: string; readonly status: number | null; readonly retryAfterMs: number | null }

const BUSY = new Set(['SlowDown', 'SlowDownRead', 'SlowDownWrite', 'TooManyRequests', 'TooManyRequestsException',
  'ThrottlingException', 'RequestLimitExceeded', 'ServiceUnavailable', 'XMinioServerNotInitialized'])
const FAULT = new Set(['RequestTimeout', 'InternalError', 'OperationAborted', 'ConditionalRequestConflict',
  'RequestTimeTooSkewed', 'IncompleteBody', 'TimeoutError'])
const EXPIRED = new Set(['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired', 'InvalidToken', 'RequestExpired'])
const MANGLED = new Set(['BadDigest', 'XAmzContentSHA256Mismatch', 'XAmzContentChecksumMismatch', 'InvalidDigest'])
const NO_CREDENTIALS = new Set(['CredentialsProviderError', 'TokenProviderError'])
/** What the SDK calls an answer without a body, to a HEAD for one. */
const NAMELESS = new Set(['UnknownError', 'Unknown', 'Forbidden', '403', 'BadRequest', '400', 'Error'])

export function kindOf(thrown: unknown): FailureKind {
  if (thrown instanceof PipelineError) return 'other'
  if (nodeCodeOf(thrown) === 'AbortError' || diskFull(thrown, '')) return 'other'
  if (CHECKSUM.test(messageOf(thrown))) return 'mangled'
  const { name, status } = answerOf(thrown)
  if (BUSY.has(name) || status === 429 || status === 503) return 'busy'
  if (EXPIRED.has(name)) return 'expired'
  if (MANGLED.has(name)) return 'mangled'
  if (name === 'RequestTimeTooSkewed' || FAULT.has(name)) return 'fault'
  // HEAD has no body to name the reason: AWS answers an expired token with a bare 400, others with 403.
  if ((status === 400 || status === 403) && NAMELESS.has(name)) return 'expired'
  if (NO_CREDENTIALS.has(name) || status === 401 || status === 403) return 'denied'
  if (status === 412 || status === 304) return 'precondition'
  if (status === 404) return 'absent'
  if (status !== null && status >= 500 && status !== 501) return 'fault'
  if (status === 409) return 'fault'
  if (status !== null && status >= 300) return 'refused'
  return isNetwork(thrown) ? 'fault' : 'other'
}

/** Nobody listens there, or the name leads nowhere. */
export const isAway = (thrown: unknown): boolean => /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH)$/.test(nodeCodeOf(thrown) ?? '')

/** The store's word for what went wrong: `NoSuchKey`; of a broken connection its errno. */
export const nameOf = (thrown: unknown): string => answerOf(thrown).name

/** The failure as the ports name it, without anything secret; an error of ours as it is. */
export function s3Failure(thrown: unknown, at: string): PipelineError {
  if (thrown instanceof PipelineError) return thrown
  const full = diskFull(thrown, at)
  if (full) return full
  const { name, status, retryAfterMs } = answerOf(thrown)
  const facts = { at, store: name, status }
  const say = (code: ErrorCode, message: string, more: Record<string, string | number> = {}): PipelineError =>
    new PipelineError(code, message, { ...facts, ...more }, secretless(thrown))
  switch (kindOf(thrown)) {
    case 'busy':
      return say('STORE_BUSY', 'the store asks for fewer requests', {
        do: 'nothing: work goes on by itself; if it lasts, lower the concurrency',
        ...(retryAfterMs === null ? {} : { retryAfterMs }),
      })
    case 'expired':
      return say('STORE_DENIED', `the store refused the credentials (${name}), also after asking for new ones`, {
        do: 'renew them: S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY and S3_SESSION_TOKEN, or the profile they come from',
      })
    case 'denied':
      return say('STORE_DENIED', `the store refused (${name})`, { do: DENIED[name] ?? DENIED_DO })
    case 'absent':
      if (name === 'NoSuchBucket') return noBucket(at)
      return say('OBJECT_ABSENT', 'there is no such object')
    case 'precondition':
      return say('PRECONDITION_FAILED', 'the object was not written: another one is there, or none')
    case 'mangled':
      return say('OBJECT_CORRUPT', 'other bytes arrived than were sent', { do: 'look at the network between' })
    case 'refused':
      return say('STORE_DENIED', `the store refused the request (${name})`, {
        do: status !== null && status < 400 ? 'set S3_REGION to the region of the bucket' : REFUSED_DO,
      })
    case 'fault':
    case 'other':
      return unreachable(thrown, say, name, status)
  }
}

function unreachable(
  thrown: unknown, say: (code: ErrorCode, message: string, more?: Record<string, string>) => PipelineError,
  name: string, status: number | null,
): PipelineError {
  if (/^Region is missing/.test(messageOf(thrown))) {
    return say('BAD_CONFIG', 'the region of the bucket is not known', { do: 'set S3_REGION' })
  }
  const what = status === null ? `the store cannot be reached (${name})` : `the store failed (${name})`
  return say('STORE_UNREACHABLE', what, { do: 'check S3_ENDPOINT and the network; the work is tried again by itself' })
}

export const noBucket = (at: string): PipelineError =>
  new PipelineError('STORE_UNREACHABLE', 'the bucket does not exist', { at, do: 'create it, or correct its name in the URL' })

const DENIED_DO = 'allow these credentials to list the bucket, and to get, put and delete objects below the prefix'
const REFUSED_DO = 'see whether the server knows this operation; docs/object-storage.md names what is used'
const DENIED: Readonly<Record<string, string>> = {
  InvalidAccessKeyId: 'check S3_ACCESS_KEY_ID: the store does not know it',
  SignatureDoesNotMatch: 'check S3_SECRET_ACCESS_KEY, and S3_REGION where the store has regions',
  CredentialsProviderError: 'set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, or give the machine a role or a profile',
}

/** The message of the store may quote what was sent to it; the name and the place are enough. */
function secretless(thrown: unknown): Error {
  return new Error(`${nameOf(thrown)} ${thrown instanceof Error ? thrown.name : ''}`.trim())
}

function answerOf(thrown: unknown): Answer {
  if (typeof thrown !== 'object' || thrown === null) return { name: 'unknown', status: null, retryAfterMs: null }
  const { $metadata, $response, name, Code } = thrown as {
    $metadata?: { httpStatusCode?: number }
    $response?: { statusCode?: number; headers?: Record<string, string> }
    name?: string
    Code?: string
  }
  const status = $metadata?.httpStatusCode ?? $response?.statusCode ?? null
  const word = status === null ? (nodeCodeOf(thrown) ?? name) : (Code ?? name)
  const seconds = Number($response?.headers?.['retry-after'])
  return {
    name: word ?? 'unknown', status,
    retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 3_600) * 1_000 : null,
  }
}

/** The first code along the causes; a failed connect to several addresses is an AggregateError. */
function nodeCodeOf(thrown: unknown): string | null {
  for (let at: unknown = thrown, depth = 0; at instanceof Error && depth < 5; depth++) {
    if ('code' in at && typeof at.code === 'string') return at.code
    if (at.name === 'AbortError') return at.name
    at = at instanceof AggregateError ? at.errors[0] : at.cause
  }
  return null
}

const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : '')

const NETWORK = /^(UND_ERR_(?!ABORTED|INVALID|NOT_SUPPORTED)|ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|EPROTO|ERR_TLS|ERR_SSL|CERT_|HPE_)/

/** What the SDK says without a code: of an answer whose XML ended too early, of a body that did. */
const BROKEN_OFF = /Deserialization error|Connection lost or stream closed/
const CHECKSUM = /^Checksum mismatch/

const isNetwork = (thrown: unknown): boolean =>
  NETWORK.test(nodeCodeOf(thrown) ?? '') || BROKEN_OFF.test(messageOf(thrown))
