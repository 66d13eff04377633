import { PipelineError, type Facts } from '../../domain/errors.js'

/** Why a request or a body broke off. `ended`: closed before its end; `reset`: torn down. Kept as the fact `reason`. */
export type BreakReason = 'ended' | 'reset' | 'timeout' | 'refused' | 'dns' | 'tls' | 'proxy' | 'other'

type Break = { readonly reason: BreakReason; readonly says: string; readonly do?: string }

const BREAKS: Readonly<Record<string, Break>> = {
  UND_ERR_CONNECT_TIMEOUT: { reason: 'timeout', says: 'timed out while connecting' },
  ETIMEDOUT: { reason: 'timeout', says: 'timed out while connecting' },
  UND_ERR_HEADERS_TIMEOUT: { reason: 'timeout', says: 'timed out before an answer came' },
  UND_ERR_BODY_TIMEOUT: { reason: 'timeout', says: 'timed out: a body stopped in the middle' },
  ECONNREFUSED: { reason: 'refused', says: 'refused the connection', do: 'check that the address and port are right' },
  EHOSTUNREACH: { reason: 'refused', says: 'cannot be reached from this network' },
  ENETUNREACH: { reason: 'refused', says: 'cannot be reached from this network' },
  ENOTFOUND: { reason: 'dns', says: 'has a name that does not resolve', do: 'check the address and the name server' },
  EAI_AGAIN: { reason: 'dns', says: 'has a name that cannot be resolved now', do: 'check the name server' },
  ECONNRESET: { reason: 'reset', says: 'reset the connection' },
  EPIPE: { reason: 'reset', says: 'reset the connection' },
  UND_ERR_SOCKET: { reason: 'ended', says: 'closed the connection too early' },
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: { reason: 'ended', says: 'sent a body of another length than it declared' },
  // Only a refused CONNECT is left of these: an abort by the caller's signal is told apart before this table is read.
  UND_ERR_ABORTED: { reason: 'proxy', says: 'is behind a proxy that refused the tunnel', do: 'check the proxy' },
}

const TLS = /^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS|ERR_SSL|EPROTO|UND_ERR_PRX_TLS)/

/** A thrown network error as `ARCHIVE_UNREACHABLE`; `origin` is a URL without credentials. */
export function networkFailure(thrown: unknown, origin: string): PipelineError {
  const code = codeOf(thrown)
  const found = BREAKS[code] ?? unlisted(code)
  const facts: Facts = {
    at: origin,
    reason: found.reason,
    errno: code,
    do: found.do ?? 'check the network; the work is tried again by itself',
  }
  return new PipelineError('ARCHIVE_UNREACHABLE', `the archive ${found.says}`, facts, thrown)
}

/** The reason kept by `networkFailure`; null for every other error. */
export function breakReasonOf(error: unknown): BreakReason | null {
  if (!(error instanceof PipelineError) || error.code !== 'ARCHIVE_UNREACHABLE') return null
  const reason = error.facts['reason']
  return typeof reason === 'string' ? (reason as BreakReason) : null
}

function unlisted(code: string): Break {
  if (TLS.test(code)) return { reason: 'tls', says: 'has an untrusted certificate', do: 'configure its CA file' }
  if (code.startsWith('HPE_')) return { reason: 'other', says: 'did not answer in HTTP', do: 'check the address' }
  return { reason: 'other', says: `cannot be reached (${code})` }
}

/** The first code along the causes; a failed connect to several addresses is an AggregateError. */
function codeOf(thrown: unknown): string {
  for (let at: unknown = thrown, depth = 0; at instanceof Error && depth < 5; depth++) {
    if ('code' in at && typeof at.code === 'string') return at.code
    at = at instanceof AggregateError ? at.errors[0] : at.cause
  }
  return thrown instanceof Error ? thrown.name : 'unknown'
}
