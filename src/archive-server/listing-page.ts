import { compareKeys } from './key-order.js'
import type { ListingQuery } from './listing-query.js'

/** One page of a listing: keys and common prefixes count alike. `last` is the greatest of both, null for none. */
export type ListingPage = {
  readonly keys: readonly string[]
  readonly prefixes: readonly string[]
  readonly truncated: boolean
  readonly last: string | null
}

/** Folds sorted keys, all after `q.after`, into one page; reads one entry past its end and no further. */
export async function pageOf(
  keys: AsyncIterable<string>, q: Pick<ListingQuery, 'prefix' | 'delimiter' | 'after' | 'maxKeys'>,
): Promise<ListingPage> {
  const page = { keys: [] as string[], prefixes: [] as string[], truncated: false, last: null as string | null }
  if (q.maxKeys === 0) return page
  for await (const key of keys) {
    const prefix = commonPrefixOf(key, q)
    // A marker that is a common prefix stands for all keys in it.
    if (prefix !== null && (prefix === page.prefixes.at(-1) || prefix === q.after)) continue
    if (page.keys.length + page.prefixes.length === q.maxKeys) return { ...page, truncated: true }
    if (prefix === null) page.keys.push(key)
    else page.prefixes.push(prefix)
    page.last = later(page.last, prefix ?? key)
  }
  return page
}

function commonPrefixOf(key: string, q: Pick<ListingQuery, 'prefix' | 'delimiter'>): string | null {
  const at = q.delimiter === '' ? -1 : key.indexOf(q.delimiter, q.prefix.length)
  return at < 0 ? null : key.slice(0, at + q.delimiter.length)
}

const later = (a: string | null, b: string): string => (a === null || compareKeys(a, b) < 0 ? b : a)
