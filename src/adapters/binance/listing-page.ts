import { XMLParser } from 'fast-xml-parser'
import type { WantedSource } from '../../domain/source.js'
import { bareEtag } from './content-headers.js'

/** One answer of the bucket listing, V1 or V2. */
export type ListingPage = {
  readonly objects: readonly WantedSource[]
  /** Common prefixes, whole, ending in the delimiter. */
  readonly prefixes: readonly string[]
  /** How to ask for the next page; null at the end. */
  readonly next: { readonly token: string } | { readonly marker: string } | null
}

type Node = { readonly [name: string]: unknown }

/** Values stay text (`2024` may be a key) and the parser expands no entity: documents from the net define none here. */
const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  processEntities: false,
  trimValues: false,
  isArray: (name) => name === 'Contents' || name === 'CommonPrefixes',
})

/** Reads a page; null for anything that is not a ListBucketResult. */
export function parseListingPage(xml: string): ListingPage | null {
  const root = rootOf(xml)
  if (!root) return null
  const isUrl = textOf(root, 'EncodingType') === 'url'
  const decode = (text: string): string => (isUrl ? decodeUrl(text) : text)
  const objects = nodesOf(root, 'Contents').flatMap((node) => {
    const key = textOf(node, 'Key')
    return key === null ? [] : [objectOf(decode(key), node)]
  })
  const prefixes = nodesOf(root, 'CommonPrefixes').flatMap((node) => textOf(node, 'Prefix') ?? []).map(decode)
  return { objects, prefixes, next: nextOf(root, objects, prefixes, decode) }
}

const objectOf = (key: string, node: Node): WantedSource => {
  const size = textOf(node, 'Size') ?? ''
  return {
    key,
    bytes: /^\d+$/.test(size) ? Number(size) : null,
    etag: bareEtag(textOf(node, 'ETag')),
    lastModified: textOf(node, 'LastModified'),
  }
}

/** V2 gives a token; V1 a NextMarker, but only with a delimiter: else the last key of the page is the marker. */
function nextOf(
  root: Node,
  objects: readonly WantedSource[],
  prefixes: readonly string[],
  decode: (text: string) => string,
): ListingPage['next'] {
  if (textOf(root, 'IsTruncated')?.trim() !== 'true') return null
  const token = textOf(root, 'NextContinuationToken')
  if (token !== null) return { token }
  const marker = textOf(root, 'NextMarker')
  if (marker !== null) return { marker: decode(marker) }
  const ends = [objects.at(-1)?.key, prefixes.at(-1)].filter((end) => end !== undefined)
  const last = ends.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))).at(-1)
  return last === undefined ? null : { marker: last }
}

function rootOf(xml: string): Node | null {
  try {
    const root: unknown = (parser.parse(xml) as Node)['ListBucketResult']
    return typeof root === 'object' && root !== null ? (root as Node) : null
  } catch {
    return null
  }
}

function nodesOf(node: Node, name: string): Node[] {
  const found = node[name]
  return Array.isArray(found) ? found.filter((n): n is Node => typeof n === 'object' && n !== null) : []
}

function textOf(node: Node, name: string): string | null {
  const found = node[name]
  return typeof found === 'string' && found !== '' ? unescapeXml(found) : null
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** The five entities of XML itself and character references. */
function unescapeXml(text: string): string {
  const entity = /&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(\w+));/g
  return text.replace(entity, (whole, hex?: string, decimal?: string, name?: string) => {
    if (name !== undefined) return NAMED[name] ?? whole
    const point = hex !== undefined ? parseInt(hex, 16) : Number(decimal)
    return point <= 0x10ffff ? String.fromCodePoint(point) : whole
  })
}

function decodeUrl(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}
