import type { ListingPage } from './listing-page.js'
import { tokenOf, type ListingQuery } from './listing-query.js'
import { element, XML_HEAD } from './xml.js'

/** A key of a page as the listing shows it: quoted ETag, size in bytes, time of last change in ms. */
export type ListedObject = {
  readonly key: string
  readonly etag: string
  readonly size: number
  readonly mtimeMs: number
}

const NAME = 'data.binance.vision'
const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'

/** The bucket's listing document of one page. */
export function listingXml(q: ListingQuery, page: ListingPage, objects: readonly ListedObject[]): string {
  const shown = q.encodeKeys ? encodeKey : (key: string): string => key
  const parts = [
    element('Name', NAME),
    element('Prefix', shown(q.prefix)),
    ...(q.version === 1 ? v1(q, page, shown) : v2(q, page, shown)),
    element('MaxKeys', q.maxKeys),
    ...optional('Delimiter', q.delimiter, shown),
    ...(q.encodeKeys ? [element('EncodingType', 'url')] : []),
    element('IsTruncated', page.truncated),
    ...objects.map((o) => contents(o, shown)),
    ...page.prefixes.map((prefix) => `<CommonPrefixes>${element('Prefix', shown(prefix))}</CommonPrefixes>`),
  ]
  return `${XML_HEAD}<ListBucketResult xmlns="${NAMESPACE}">${parts.join('')}</ListBucketResult>`
}

type Shown = (key: string) => string

const optional = (name: string, text: string | null, shown: Shown): string[] =>
  text ? [element(name, shown(text))] : []

/** V1 names the next marker only with a delimiter; without one it is the last key of the page. */
function v1(q: ListingQuery, page: ListingPage, shown: Shown): string[] {
  const next = page.truncated && q.delimiter !== '' ? page.last : null
  return [element('Marker', shown(q.marker)), ...optional('NextMarker', next, shown)]
}

function v2(q: ListingQuery, page: ListingPage, shown: Shown): string[] {
  const plain: Shown = (text) => text
  const next = page.truncated && page.last !== null ? tokenOf(page.last) : null
  return [
    ...optional('StartAfter', q.startAfter, shown), ...optional('ContinuationToken', q.token, plain),
    ...optional('NextContinuationToken', next, plain), element('KeyCount', page.keys.length + page.prefixes.length),
  ]
}

function contents(o: ListedObject, shown: Shown): string {
  const modified = `${new Date(o.mtimeMs).toISOString().slice(0, 19)}.000Z`
  return `<Contents>${element('Key', shown(o.key))}${element('LastModified', modified)}${element('ETag', o.etag)}${
    element('Size', o.size)}${element('StorageClass', 'STANDARD')}</Contents>`
}

/** Percent-encoded but for letters, digits and `-_.*~/`. */
const encodeKey = (key: string): string =>
  encodeURIComponent(key)
    .replaceAll('%2F', '/')
    .replace(/[!'()]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
