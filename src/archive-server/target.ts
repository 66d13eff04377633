/** A request target taken apart. */
export type Target = {
  /** As it came, beginning with `/`. */
  readonly raw: string
  /** Percent-decoded path without its leading `/` and the bucket's name; U+0000 where it cannot be decoded. */
  readonly key: string
  readonly query: URLSearchParams
  /** What logs show and faults match: percent-decoded, with the query. */
  readonly path: string
}

/** The bucket is also addressed as `https://s3-ap-northeast-1.amazonaws.com/data.binance.vision`. */
const BUCKET = /^\/data\.binance\.vision(?=\/|$)/

/** Takes a request target apart without resolving `.` or `..`: a key is what the client wrote, and may be refused. */
export function parseTarget(url: string): Target {
  const raw = url.replace(/^https?:\/\/[^/?]*/i, '').replace(/^(?!\/)/, '/')
  const at = raw.indexOf('?')
  const [path, query] = at < 0 ? [raw, ''] : [raw.slice(0, at), raw.slice(at + 1)]
  const decoded = decode(path)
  const key = decoded === null ? '\u0000' : decoded.replace(BUCKET, '').slice(1)
  const shown = decoded ?? path
  return { raw, key, query: new URLSearchParams(query), path: at < 0 ? shown : `${shown}?${decode(query) ?? query}` }
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
