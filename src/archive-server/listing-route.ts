import { answerBytes, answerError } from './answer.js'
import type { Bucket } from './bucket.js'
import type { Exchange } from './exchange.js'
import { walkKeys } from './key-walk.js'
import { pageOf } from './listing-page.js'
import { parseListingQuery } from './listing-query.js'
import { listingXml, type ListedObject } from './listing-xml.js'

/** Files hashed at a time for the ETags of a page. */
const HASHED_AT_ONCE = 8

/** Serves the listing of the bucket, V1 or V2. */
export async function serveListing(x: Exchange, bucket: Bucket): Promise<void> {
  const q = parseListingQuery(x.query)
  if ('argument' in q) {
    return answerError(x, 400, { code: 'InvalidArgument', message: q.message, facts: { ArgumentName: q.argument } })
  }
  const hides = (key: string): boolean => x.faults.hides(key)
  const keys = walkKeys(bucket, { prefix: q.prefix, after: q.after, collapse: q.delimiter === '/', hides })
  const page = await pageOf(keys, q)
  await answerBytes(x, 200, 'application/xml', listingXml(q, page, await describe(bucket, page.keys)))
}

/** What a listing says of each key; a file that vanished since it was found is left out. */
async function describe(bucket: Bucket, keys: readonly string[]): Promise<ListedObject[]> {
  const found = new Array<ListedObject | null>(keys.length).fill(null)
  const queue = keys.entries()
  const work = async (): Promise<void> => {
    for (const [at, key] of queue) {
      const file = await bucket.find(key)
      if (file !== null) found[at] = { key, etag: await bucket.etagOf(file), size: file.size, mtimeMs: file.mtimeMs }
    }
  }
  await Promise.all(Array.from({ length: HASHED_AT_ONCE }, work))
  return found.filter((one) => one !== null)
}
