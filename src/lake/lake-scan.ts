import type { NumericType } from '../domain/candle.js'
import { numericTypeOf, type ParquetFooter } from '../domain/parquet-footer.js'
import type { LakeIndex } from '../domain/ports/lake-index.js'
import type { ObjectParts } from '../domain/ports/object-parts.js'
import type { FileView } from '../domain/ports/query-engine.js'
import { planScans, unionOf, type Scan } from '../domain/query-plan.js'
import { NOTHING, type Figures } from './query-result.js'

/** Objects whose parts are got at the same time. */
const PARALLEL = 16

/** What a question needs of the lake, at hand. */
export type Ready = {
  readonly view: FileView
  readonly footers: readonly ParquetFooter[]
  readonly cost: Figures
  readonly numericType: NumericType | null
}

/**
 * Plans scans of one dataset and gets their parts: the exact objects, of each the footer and the chunks that will be
 * read. Every footer is compared with the schema, since a reader would cast what it can in silence.
 * @throws {SCHEMA_MISMATCH, PRECONDITION_FAILED, OBJECT_ABSENT, OBJECT_CORRUPT, STORE_UNREACHABLE}
 */
export async function getReady(
  scans: readonly [Scan, ...Scan[]],
  ports: { index: LakeIndex; parts: ObjectParts },
  o: { signal: AbortSignal; numericType: NumericType | null },
): Promise<Ready> {
  const scan = scans.reduce(unionOf)
  const { objects, bytes } = planScans(await ports.index.objects(scan), scans)
  const cost: Figures = { ...NOTHING }
  const paths: string[] = []
  const footers: ParquetFooter[] = []
  let numericType = o.numericType
  await each(objects, async (object, index) => {
    const part = await ports.parts.part(object, scan, o.signal)
    numericType = numericTypeOf(part.footer, object.key, numericType)
    paths[index] = part.path
    footers[index] = part.footer
    cost.files++
    cost.requests += part.cost.requests
    cost.bytesRead += part.cost.bytesRead
    cost.cacheHits += part.cost.cacheHits
  })
  cost.bytesSkipped = Math.max(0, bytes - cost.bytesRead)
  return { view: { dataset: scan.dataset, paths, range: scan.range }, footers, cost, numericType }
}

/** Some at a time; after the first failure nothing new begins. */
export async function each<T>(
  objects: readonly T[],
  work: (object: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  let failed = false
  const lane = async (): Promise<void> => {
    for (let at = next++; at < objects.length && !failed; at = next++) {
      await work(objects[at]!, at).catch((thrown: unknown) => {
        failed = true
        throw thrown
      })
    }
  }
  await Promise.all(Array.from({ length: Math.min(PARALLEL, objects.length) }, lane))
}

export const sumOf = (costs: readonly Figures[]): Figures =>
  costs.reduce(
    (sum, one) => ({
      files: sum.files + one.files,
      requests: sum.requests + one.requests,
      bytesRead: sum.bytesRead + one.bytesRead,
      bytesSkipped: sum.bytesSkipped + one.bytesSkipped,
      cacheHits: sum.cacheHits + one.cacheHits,
    }),
    NOTHING,
  )
