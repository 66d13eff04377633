import { partitionKeyOf, type Partition } from '../../src/domain/partition.js'
import { openRig } from './rig.js'
import { settle } from './settle.js'

/** What a partition comes to when nothing goes wrong. */
export type ReferenceHashes = { readonly sha256Hex: string; readonly dataHash: string; readonly rows: number }

/** Of every partition of a sample, by the edition of its source. */
export type Reference = { of(p: Partition, edition: 1 | 2): ReferenceHashes }

/** Months of each symbol that may be published anew. */
export const REPUBLISHED_MONTHS = 3

let known: { readonly months: number; readonly reference: Promise<Reference> } | null = null

/** The hashes of an undisturbed run over so many months, on Postgres; kept for callers that want no more months. */
export function referenceFor(months: number): Promise<Reference> {
  if (known && known.months >= months) return known.reference
  known = { months, reference: undisturbed(months) }
  return known.reference
}

async function undisturbed(months: number): Promise<Reference> {
  const rig = await openRig({ backend: 'postgres', months })
  try {
    const worker = rig.worker()
    const first = await run()
    const firstMonths = new Set(rig.sample.partitions.slice(0, REPUBLISHED_MONTHS).map((p) => p.month))
    for (const p of rig.sample.partitions) if (firstMonths.has(p.month)) await rig.sample.republish(p)
    const second = await run()
    await worker.drain()
    return {
      of(p, edition) {
        const found = (edition === 1 ? first : second).get(partitionKeyOf(p))
        if (!found) throw new Error(`no reference of ${partitionKeyOf(p)}`)
        return found
      },
    }

    async function run(): Promise<Map<string, ReferenceHashes>> {
      await rig.plan()
      const wrong = await settle(rig)
      if (wrong.length > 0) throw new Error(`the undisturbed run: ${wrong.join('; ')}\n${worker.text.slice(-3_000)}`)
      const hashes = new Map<string, ReferenceHashes>()
      for await (const { partition, state, published, certificate } of (await rig.app.keeper()).partitions({})) {
        const key = partitionKeyOf(partition)
        if (state !== 'verified' || !published || !certificate) throw new Error(`${key} is ${state}`)
        const { sha256Hex, rows } = published
        hashes.set(key, { sha256Hex, rows, dataHash: certificate.dataHash })
      }
      return hashes
    }
  } finally {
    await rig.close()
  }
}
