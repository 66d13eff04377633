import type { HttpAnswer } from './http.js'

/** What the headers of an object's answer say of the whole object. Unknown fields are null. */
export type ObjectHeaders = {
  /** As sent, with its quotes; null for none. */
  readonly etag: string | null
  /** ISO 8601. */
  readonly lastModified: string | null
  /** Bytes of the whole object, also when a part was sent. */
  readonly total: number | null
  /** Where the sent part begins; 0 for a whole object, null where a part does not say. */
  readonly start: number | null
  /** The transport's coding when it is not the plain bytes: `gzip`. */
  readonly coding: string | null
}

export function readObjectHeaders(answer: HttpAnswer): ObjectHeaders {
  const part = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.header('content-range') ?? '')
  const length = answer.header('content-length')
  const isPart = answer.status === 206
  const total = isPart ? part?.[2] : length
  const modified = Date.parse(answer.header('last-modified') ?? '')
  return {
    etag: answer.header('etag'),
    lastModified: Number.isNaN(modified) ? null : new Date(modified).toISOString(),
    total: total && /^\d+$/.test(total) ? Number(total) : null,
    start: !isPart ? 0 : part ? Number(part[1]) : null,
    coding: codingOf(answer.header('content-encoding')) ?? codingOf(answer.header('transfer-encoding')),
  }
}

/** An ETag without quotes and weakness mark, as listings and sources hold it. */
export const bareEtag = (etag: string | null): string | null => etag?.replace(/^W\//, '').replace(/^"|"$/g, '') ?? null

/** Only a strong ETag promises that the bytes before and after a break belong together. */
export const isStrong = (etag: string | null): etag is string => etag !== null && !etag.startsWith('W/')

function codingOf(header: string | null): string | null {
  const codings = (header ?? '').toLowerCase().split(',').map((c) => c.trim())
  return codings.find((c) => c !== '' && c !== 'identity' && c !== 'chunked' && c !== 'aws-chunked') ?? null
}
