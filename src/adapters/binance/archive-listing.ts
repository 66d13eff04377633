import type { ArchiveKey } from '../../domain/archive-names.js'
import { clip } from '../../domain/dataset.js'
import { PipelineError } from '../../domain/errors.js'
import type { ArchiveListing } from '../../domain/ports/archive.js'
import type { WantedSource } from '../../domain/source.js'
import { openHttp, type Http } from './http.js'
import { networkFailure } from './http-failure.js'
import type { HttpOptions } from './http-options.js'
import { parseListingPage, type ListingPage } from './listing-page.js'
import { mend } from './mend.js'
import { patience } from './patience.js'

export type ListingOptions = HttpOptions & {
  /** Where the bucket is listed: `https://s3-ap-northeast-1.amazonaws.com/data.binance.vision`. */
  readonly listUrl: string
}

const PAGE_KEYS = 1_000
const PAGE_BYTES = 8 * 1_048_576
const never = (): AbortSignal => new AbortController().signal

type Query = { readonly prefix: string; readonly delimiter?: '/'; readonly maxKeys?: number }
type Next = ListingPage['next']

/** A client of the bucket's listing, V2 where the server knows it, else V1. @throws {BAD_CONFIG} */
export function openArchiveListing(o: ListingOptions): ArchiveListing & { close(): Promise<void> } {
  const http = openHttp(o.listUrl, o)

  async function* files(prefix: string, signal = never()): AsyncGenerator<WantedSource> {
    for await (const page of pages(http, { prefix: folder(prefix) }, signal)) {
      for (const object of page.objects) {
        if (object.key.startsWith(prefix) && object.key.endsWith('.zip')) yield object
      }
    }
  }

  async function* folders(prefix: string, signal = never()): AsyncGenerator<string> {
    for await (const page of pages(http, { prefix: folder(prefix), delimiter: '/' }, signal)) {
      for (const child of page.prefixes) {
        const name = child.startsWith(prefix) ? child.slice(prefix.length, -1) : ''
        // The archive lists `BTCUSDT//`, a child without a name.
        if (name !== '') yield name
      }
    }
  }

  async function find(key: ArchiveKey, signal = never()): Promise<WantedSource | null> {
    // In key order the key itself comes before every longer one, such as its CHECKSUM.
    const page = await readPage(http, { prefix: key, maxKeys: 1 }, null, signal)
    return page.objects.find((object) => object.key === key) ?? null
  }

  return { files, folders, find, close: () => http.close() }
}

function folder(prefix: string): string {
  if (prefix.endsWith('/')) return prefix
  throw new PipelineError('BAD_USAGE', 'a prefix of the archive ends in "/"', { at: clip(prefix) })
}

async function* pages(http: Http, query: Query, signal: AbortSignal): AsyncGenerator<ListingPage> {
  let from: Next = null
  for (;;) {
    const page = await readPage(http, query, from, signal)
    yield page
    if (page.next === null) return
    const isStuck = JSON.stringify(page.next) === JSON.stringify(from)
    if (isStuck) throw unreadable(http, 'a listing that does not move on', null)
    from = page.next
  }
}

function readPage(http: Http, query: Query, from: Next, signal: AbortSignal): Promise<ListingPage> {
  return mend({ work: () => requestPage(http, query, from, signal), waitMs: patience(), signal })
}

async function requestPage(http: Http, query: Query, from: Next, signal: AbortSignal): Promise<ListingPage> {
  const answer = await http.get({ path: `?${searchOf(query, from)}`, accept: [404], signal })
  if (answer.status === 404) answer.body.on('error', () => undefined).destroy()
  if (answer.status === 404) throw unreadable(http, '404 where its listing should be', null)
  const text = await readText(http, answer.body, signal)
  const page = parseListingPage(text)
  if (!page) throw unreadable(http, 'something that is not a bucket listing', text)
  return page
}

/** A page that gave no token came from a server that knows V1 only: it is asked on by marker. */
function searchOf(query: Query, from: Next): string {
  const search = new URLSearchParams()
  if (from === null || 'token' in from) search.set('list-type', '2')
  if (query.delimiter) search.set('delimiter', query.delimiter)
  search.set('max-keys', String(query.maxKeys ?? PAGE_KEYS))
  search.set('prefix', query.prefix)
  if (from !== null && 'token' in from) search.set('continuation-token', from.token)
  if (from !== null && 'marker' in from) search.set('marker', from.marker)
  return search.toString()
}

async function readText(http: Http, body: AsyncIterable<unknown>, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of body) {
      chunks.push(chunk as Buffer)
      bytes += (chunk as Buffer).length
      if (bytes > PAGE_BYTES) break
    }
  } catch (thrown) {
    signal.throwIfAborted()
    throw networkFailure(thrown, http.origin)
  }
  if (bytes > PAGE_BYTES) throw unreadable(http, 'a listing page without end', null)
  return Buffer.concat(chunks).toString('utf8')
}

const unreadable = (http: Http, what: string, text: string | null): PipelineError =>
  new PipelineError('ARCHIVE_UNREACHABLE', `the archive answered with ${what}`, {
    at: http.origin,
    head: text === null ? null : JSON.stringify(text.slice(0, 200)).slice(1, -1),
    do: 'check ARCHIVE_LIST_URL',
  })
