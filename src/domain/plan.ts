import { partitionKeyOf, type Partition, type PartitionKey } from './partition.js'
import type { WantedSource } from './source.js'
import { STAGE_OF, type Stage, type State } from './states.js'
import type { SeriesBounds } from './work.js'

/** A partition that someone asked for, with what the listing says of its sources (empty: not listed). */
export type WantedPartition = {
  readonly partition: Partition
  readonly sources: readonly WantedSource[]
  readonly bounds: SeriesBounds
}

/** What the catalog knows of a partition when it is planned. */
export type PlannedRow = {
  readonly generation: number
  readonly state: State
  /** The sources that the row was made of, or was last planned with. */
  readonly sources: readonly WantedSource[]
  readonly bounds: SeriesBounds
  /** Somebody holds a lease that has not expired. */
  readonly leased: boolean
}

export type PlanDecision =
  /** A row is made, or its generation raised from `from`; one job is enqueued. */
  | { readonly kind: 'start'; readonly from: number | null; readonly reason: StartReason }
  /** On its way already: its job is put back in case the queue lost it; a queue that has it ignores that. */
  | { readonly kind: 'join'; readonly generation: number; readonly stage: Stage }
  | { readonly kind: 'done'; readonly generation: number; readonly state: State }

export type StartReason = 'new' | 'forced' | 'source_changed' | 'listed_now' | 'look_again' | 'failed_before'

/**
 * What is to be done for one wanted partition. Quarantined partitions stay until someone retries them or their source
 * changes: trying the same bytes again gives the same verdict. Late, absent and provisional ones are looked at again,
 * failed and cancelled ones too.
 */
export function planPartition(wanted: WantedPartition, row: PlannedRow | undefined, force = false): PlanDecision {
  if (!row) return { kind: 'start', from: null, reason: 'new' }
  const stage = STAGE_OF[row.state]
  if (stage !== null) return { kind: 'join', generation: row.generation, stage }
  const reason = force ? 'forced' : reasonToStart(wanted, row)
  return reason === null
    ? { kind: 'done', generation: row.generation, state: row.state }
    : { kind: 'start', from: row.generation, reason }
}

function reasonToStart(wanted: WantedPartition, row: PlannedRow): StartReason | null {
  const changed = sourcesChanged(wanted.sources, row.sources)
  switch (row.state) {
    case 'verified': case 'quarantined': return changed ? 'source_changed' : null
    case 'provisional': return changed ? 'source_changed' : 'look_again'
    case 'late': case 'absent': return wanted.sources.length > 0 ? 'listed_now' : row.state === 'late' ? 'look_again' : null
    default: return 'failed_before'
  }
}

/**
 * True when the listing names other content than the row was made of. Unknown fields prove nothing: a synthesised plan
 * has no ETags, and an archive that could not be listed must not make the whole lake stale.
 */
export function sourcesChanged(listed: readonly WantedSource[], known: readonly WantedSource[]): boolean {
  const before = new Map(known.map((source) => [source.key, source]))
  return listed.some((now) => {
    const then = before.get(now.key)
    if (!then) return known.length > 0 && now.etag !== null
    return differ(now.etag, then.etag) || differ(now.bytes, then.bytes)
  })
}

const differ = (a: string | number | null, b: string | number | null): boolean => a !== null && b !== null && a !== b

/** The same partition wanted again from the sources that its row knows: what a retry asks for. */
export const wantedAgain = (partition: Partition, row: PlannedRow | undefined): WantedPartition => ({
  partition,
  sources: row?.sources ?? [],
  bounds: row?.bounds ?? null,
})

export type Plan = readonly { readonly wanted: WantedPartition; readonly decision: PlanDecision }[]

/** The plan for a batch: each wanted partition once, in the order given. */
export function planPartitions(
  wanted: readonly WantedPartition[],
  rows: ReadonlyMap<PartitionKey, PlannedRow>,
  force = false,
): Plan {
  const seen = new Set<PartitionKey>()
  return wanted.flatMap((w) => {
    const key = partitionKeyOf(w.partition)
    if (seen.has(key)) return []
    seen.add(key)
    return [{ wanted: w, decision: planPartition(w, rows.get(key), force) }]
  })
}
