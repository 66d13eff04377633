import type { Certificate } from '../certificate.js'
import type { Partition, PartitionKey } from '../partition.js'
import type { NumericType } from '../candle.js'
import type { JobStage, Stage, State } from '../states.js'
import type { Source } from '../source.js'
import type { Published, SeriesBounds } from '../work.js'
import type { Job } from './plan-catalog.js'

/** A row that reconcile looks at: unfinished, unleased and unchanged for a while. */
export type StaleRow = { readonly partition: Partition; readonly generation: number; readonly stage: Stage }

/** `url` is without credentials; `catalogId` is random and names the catalog's queues. */
export type Lake = { readonly url: string; readonly numericType: NumericType; readonly catalogId: string }

export type QuarantineEntry = {
  readonly partition: Partition
  readonly generation: number
  readonly code: string
  readonly message: string
  readonly facts: Readonly<Record<string, unknown>>
  readonly kept: string | null
  readonly since: Date
  /** The older revision that the lake still shows; null where it shows none. */
  readonly published: Published | null
}

/**
 * What the lake shows of a partition is `published`, not the state: a re-plan that ended as quarantined, late, absent,
 * failed or cancelled leaves the revision of before where it is. `certificate` and `flagged` are the published
 * revision's.
 */
export type PartitionSummary = {
  readonly partition: Partition
  readonly state: State
  readonly generation: number
  readonly published: Published | null
  readonly code: string | null
  readonly message: string | null
  readonly flagged: boolean
  readonly certificate: Certificate | null
  readonly updatedAt: Date
}

/** What a worker has in hand. `since` is ISO 8601; workers of version 0.1.0 do not say it. */
export type WorkInHand = { readonly stage: JobStage; readonly partition: string; readonly since?: string }

/** A worker by its last beat. `lost`: it fell silent without leaving, and `doing` is what it held. */
export type WorkerRow = {
  readonly id: string
  readonly host: string
  readonly pid: number
  readonly stages: readonly JobStage[]
  readonly doing: readonly WorkInHand[]
  readonly lost: boolean
  readonly startedAt: Date
  readonly seenAt: Date
}

/** A worker as it describes itself. */
export type Beat = Pick<WorkerRow, 'id' | 'host' | 'pid' | 'stages' | 'doing'>

/** A published partition as the lake tells of it. */
export type RestoredPartition = {
  readonly partition: Partition
  readonly published: Published
  readonly certificate: Certificate
  readonly sources: readonly Source[]
  readonly bounds: SeriesBounds
}

/** Narrows partitions: an exact value or a set of them for each part that is given. */
export type PartitionFilter = {
  readonly datasets?: readonly string[]
  readonly symbols?: readonly string[]
  readonly intervals?: readonly string[]
  readonly months?: readonly string[]
  readonly states?: readonly State[]
  /** True: only rows of which the lake shows an object, whatever became of later work on them. */
  readonly published?: true
  /** Only rows that something changed since, by the catalog's clock. */
  readonly changedSince?: Date
}

/** The catalog as reports, repairs and the command line see it. */
export interface KeeperCatalog {
  /**
   * Fixes the lake's address and numeric type on first use, and gives the catalog's id.
   * @throws {LAKE_MISMATCH, NUMERIC_TYPE_MISMATCH}
   */
  adoptLake(o: { url: string; numericType: NumericType }): Promise<{ readonly catalogId: string }>
  /** Refuses as `adoptLake` does, and writes nothing; the id is null before the first use. */
  matchLake(o: { url: string; numericType: NumericType }): Promise<{ readonly catalogId: string | null }>
  /** The lake that the catalog is of; null before the first use. */
  lake(): Promise<Lake | null>
  /** Records that the lake lies elsewhere now; false when it is not at `from`. */
  moveLake(o: { from: string; to: string }): Promise<boolean>
  /** Rows at `stage` whose lease is free or expired and that nothing changed or checked for `unchangedMs`. */
  stale(o: { stage: Stage; unchangedMs: number; limit: number }): Promise<readonly StaleRow[]>
  /** Remembers that these rows were looked at and have a living job: they are not stale for another period. */
  touch(rows: readonly StaleRow[]): Promise<void>
  /** Raises the generation of rows that are still as they were seen, at the stage they are at; gives their jobs. */
  requeue(rows: readonly StaleRow[]): Promise<readonly Job[]>
  /** How many unfinished rows each stage has, leased ones included. */
  unfinished(): Promise<Readonly<Record<Stage, number>>>
  states(filter?: PartitionFilter): Promise<Readonly<Record<State, number>>>
  /**
   * State counts by dataset and interval, and of how many of them the lake shows an object. Of a run, rows and bytes
   * are of the verified and provisional ones; of all, of every published object.
   */
  summary(runId?: string): Promise<readonly {
    readonly dataset: string; readonly interval: string; readonly state: State
    readonly partitions: number; readonly published: number
    readonly rows: number; readonly bytesIn: number; readonly bytesOut: number
  }[]>
  /** Partitions in key order, in pages. */
  partitions(filter: PartitionFilter): AsyncIterable<PartitionSummary>
  quarantine(filter: PartitionFilter): AsyncIterable<QuarantineEntry>
  /** True for a staging folder or an `_incoming` object that a row on its way still refers to or may write to. */
  isReferenced(o: { partition: Partition; generation: number; token: string }): Promise<boolean>
  /** Those of the partitions whose published object a row names, or may be about to name: it is on its way. */
  named(partitions: readonly Partition[]): Promise<ReadonlySet<PartitionKey>>
  /** Runs `effect` while nobody can publish the partition; false, and not run, when `named` would name it. */
  whileUnnamed(partition: Partition, effect: () => Promise<void>): Promise<boolean>
  /**
   * Takes a published partition into the catalog, where no row is on its way or newer than the certificate. `isThere` looks
   * at its object once more, while nobody can free the name: what is removed before is `gone`.
   */
  restore(
    o: RestoredPartition, isThere: () => Promise<boolean>, dryRun: boolean,
  ): Promise<'added' | 'replaced' | 'kept' | 'gone'>
  /** Records drift or repair of a published object found by verify or reconcile. */
  repairPublished(o: { partition: Partition; published: Published }): Promise<boolean>
  /**
   * Runs `effect` for one caller at a time, and once every so many milliseconds for all callers together; null, and not run,
   * for the others. What changed before `since` was gone through by an effect that succeeded.
   */
  comparing<T>(everyMs: number, effect: (since: Date) => Promise<T>): Promise<T | null>
  heartbeat(beat: Beat): Promise<void>
  leave(workerId: string): Promise<void>
  /** Living workers and lost ones, by id. */
  workers(): Promise<readonly WorkerRow[]>
  /** Gives workers that were found lost by this call, each once for all callers; forgets those lost for a day. */
  missWorkers(): Promise<readonly WorkerRow[]>
}
