import { parseLakeKey } from '../domain/names.js'
import type { LakeIndex } from '../domain/ports/lake-index.js'
import type { ObjectStore } from '../domain/ports/object-store.js'
import type { LakeObject, Scan } from '../domain/query-plan.js'

/** More lists than this cost more than one of the whole dataset. */
const LISTS_MAX = 100

/** A lake without a catalog: its folder, or the listing of its bucket, says what it shows. */
export function storeIndex(store: ObjectStore): LakeIndex {
  return {
    objects: async (scan) => {
      const found: LakeObject[] = []
      for (const prefix of prefixesOf(scan)) {
        for await (const { key, etag, bytes } of store.list(prefix)) {
          const name = parseLakeKey(key)
          if (name?.kind === 'data') found.push({ partition: name.partition, key, etag, bytes })
        }
      }
      return found
    },
  }
}

export function prefixesOf({
  dataset,
  symbols,
  intervals,
}: Pick<Scan, 'dataset' | 'symbols' | 'intervals'>): readonly string[] {
  if (symbols === null || symbols.length * (intervals?.length ?? 1) > LISTS_MAX) return [`${dataset}/`]
  // Nothing is listed under a name that no symbol can have.
  const folders = symbols
    .filter((symbol) => /^[\p{L}\p{N}_-]{1,64}$/u.test(symbol))
    .map((symbol) => `${dataset}/${symbol.toLowerCase()}/`)
  return intervals === null
    ? folders
    : folders.flatMap((folder) => intervals.map((interval) => `${folder}${interval}/`))
}
