/** What a listing request asks for, the same for both versions. */
export type ListingQuery = {
  readonly version: 1 | 2
  readonly prefix: string
  /** '' for none. */
  readonly delimiter: string
  /** Keys and common prefixes up to this one, itself too, are left out: `marker`, `start-after` or the token's key. */
  readonly after: string
  readonly maxKeys: number
  readonly encodeKeys: boolean
  readonly marker: string
  readonly startAfter: string | null
  readonly token: string | null
}

/** The bucket gives at most this many keys and common prefixes a page, whatever is asked for. */
export const PAGE = 1000

/** What is wrong with a listing request. */
export type BadQuery = { readonly argument: string; readonly message: string }

/** Reads the query of a listing request, V1 or V2. */
export function parseListingQuery(query: URLSearchParams): ListingQuery | BadQuery {
  const version = query.get('list-type') === '2' ? 2 : 1
  const encoding = query.get('encoding-type')
  if (encoding !== null && encoding !== 'url') return bad('encoding-type', 'Invalid Encoding Method')
  const max = query.get('max-keys') ?? String(PAGE)
  if (!/^\d{1,10}$/.test(max)) return bad('max-keys', 'Provided max-keys not an integer or within integer range')
  const token = version === 2 ? query.get('continuation-token') : null
  const tokenKey = token === null ? null : keyOfToken(token)
  if (token !== null && tokenKey === null) return bad('continuation-token', 'The continuation token is incorrect')
  const startAfter = version === 2 ? query.get('start-after') : null
  const marker = version === 1 ? (query.get('marker') ?? '') : ''
  return {
    version,
    prefix: query.get('prefix') ?? '',
    delimiter: query.get('delimiter') ?? '',
    after: tokenKey ?? startAfter ?? marker,
    maxKeys: Math.min(PAGE, Number(max)),
    encodeKeys: encoding === 'url',
    marker,
    startAfter,
    token,
  }
}

/** An opaque token that goes on after this key or common prefix. */
export const tokenOf = (key: string): string => Buffer.from(`after:${key}`).toString('base64url')

function keyOfToken(token: string): string | null {
  const text = Buffer.from(token, 'base64url').toString()
  return text.startsWith('after:') ? text.slice('after:'.length) : null
}

const bad = (argument: string, message: string): BadQuery => ({ argument, message })
