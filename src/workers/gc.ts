import { PipelineError } from '../domain/errors.js'
import {
  GARBAGE_KINDS, incomingGarbage, publishedGarbage, revisionGarbage, stagingGarbage,
  type Foreign, type Garbage, type GarbageKind, type GarbagePorts,
} from './garbage.js'
import { removeGarbage } from './sweep.js'

export type GcOptions = {
  /** What has changed since is left alone, milliseconds. */
  readonly olderThanMs: number
  /** Replaced revisions that stay, of each partition. */
  readonly keepRevisions: number
  readonly signal: AbortSignal
  readonly onFound?: (one: Garbage | Foreign) => void
}

export type Heap = { readonly objects: number; readonly bytes: number }

/** What lies about: found by a survey, or removed. A staging folder counts as one object. */
export type GarbageReport = {
  readonly kinds: Readonly<Record<GarbageKind, Heap>>
  /** Unfinished writes that were removed; null after a survey, which cannot see them. */
  readonly unfinished: number | null
  /** Not ours by name, and left alone; `keys` are the first hundred. */
  readonly foreign: Heap & { readonly keys: readonly string[] }
}

const KEYS_SHOWN = 100

/**
 * Looks for what nothing needs, and changes nothing.
 * @throws {CATALOG_INCOMPLETE} when the catalog names less than half of the published objects: it is then the catalog
 * that lacks something, after a restore perhaps, and not the lake that has too much
 */
export async function surveyGarbage(ports: GarbagePorts, o: GcOptions): Promise<GarbageReport> {
  const count = new Tally()
  let named = 0
  for await (const one of allGarbage(ports, o, (more) => (named += more))) {
    o.signal.throwIfAborted()
    count.add(one)
    o.onFound?.(one)
  }
  const { objects } = count.report(null).kinds.data
  if (objects > named) {
    const message = `the catalog names ${named} of ${named + objects} published objects`
    throw new PipelineError('CATALOG_INCOMPLETE', message, {
      at: ports.lake.url, named, unnamed: objects,
      do: 'take the lake into the catalog first: candlelake catalog rebuild --add',
    })
  }
  return count.report(null)
}

/** Removes what a survey finds, each after one more look at the catalog; ends early when the signal fires. */
export async function collectGarbage(ports: GarbagePorts, o: GcOptions): Promise<GarbageReport> {
  const count = new Tally()
  for await (const one of allGarbage(ports, o, () => undefined)) {
    if (o.signal.aborted) return count.report(0)
    if (one.kind !== 'foreign' && !(await removeGarbage(one, ports))) continue
    count.add(one)
    o.onFound?.(one)
  }
  return count.report((await ports.lake.sweep(o.olderThanMs)) + (await ports.staging.sweep(o.olderThanMs)))
}

async function* allGarbage(
  ports: GarbagePorts, o: GcOptions, onNamed: (count: number) => void,
): AsyncGenerator<Garbage | Foreign> {
  yield* stagingGarbage(ports, o.olderThanMs)
  yield* incomingGarbage(ports, o.olderThanMs)
  yield* revisionGarbage(ports, o.olderThanMs, o.keepRevisions)
  yield* publishedGarbage(ports, o.olderThanMs, onNamed)
}

class Tally {
  readonly #heaps = new Map<GarbageKind | 'foreign', { objects: number; bytes: number }>()
  readonly #keys: string[] = []

  add({ kind, key, bytes }: Garbage | Foreign): void {
    const heap = this.#heaps.get(kind) ?? { objects: 0, bytes: 0 }
    this.#heaps.set(kind, { objects: heap.objects + 1, bytes: heap.bytes + bytes })
    if (kind === 'foreign' && this.#keys.length < KEYS_SHOWN) this.#keys.push(key)
  }

  report(unfinished: number | null): GarbageReport {
    const of = (kind: GarbageKind | 'foreign'): Heap => this.#heaps.get(kind) ?? { objects: 0, bytes: 0 }
    const kinds = Object.fromEntries(GARBAGE_KINDS.map((kind) => [kind, of(kind)])) as GarbageReport['kinds']
    return { kinds, unfinished, foreign: { ...of('foreign'), keys: this.#keys } }
  }
}
