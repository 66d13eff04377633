import type { PlanDecision, PlannedRow, WantedPartition } from '../plan.js'
import type { Partition } from '../partition.js'
import type { JobStage, State } from '../states.js'

export type RunKind = 'backfill' | 'incremental' | 'retry'
export type RunState = 'planning' | 'running' | 'done' | 'cancelled'

export type Run = {
  /** Five characters, e.g. `7f3k2`. */
  readonly id: string
  readonly kind: RunKind
  readonly state: RunState
  /** What was asked for, as given; shown to people. */
  readonly request: Readonly<Record<string, unknown>>
  readonly createdAt: Date
  readonly finishedAt: Date | null
}

/** A piece of work as a queue carries it. Lower `priority` is sooner; incremental work has none. */
export type Job = {
  readonly stage: JobStage
  readonly partition: Partition
  readonly generation: number
  readonly kind: RunKind
}

/** What a run's partitions come to. Figures are of the run's partitions, whoever did the work. */
export type RunProgress = {
  readonly run: Run
  readonly states: Readonly<Record<State, number>>
  readonly total: number
  /** Finished partitions that were already finished when the run was planned. */
  readonly alreadyDone: number
  readonly rows: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly flagged: number
}

export interface PlanCatalog {
  createRun(o: { kind: RunKind; request: Readonly<Record<string, unknown>> }): Promise<Run>
  /** What is known of these partitions; partitions without a row are left out. */
  rowsOf(partitions: readonly Partition[]): Promise<ReadonlyMap<string, PlannedRow>>
  /**
   * Carries decisions out in one statement: inserts or raises generations where the row still is as the decision saw it,
   * links every partition to the run, and gives back the jobs to enqueue.
   */
  apply(o: { run: Run; decisions: readonly { wanted: WantedPartition; decision: PlanDecision }[] }): Promise<readonly Job[]>
  /** The run's plan is complete: from now on it is done when its partitions are. */
  planned(runId: string): Promise<void>
  /** Ends a run; unfinished partitions that no other open run wants become cancelled. @throws {RUN_ABSENT} */
  cancel(runId: string): Promise<{ readonly cancelled: number; readonly kept: number }>
  /** @throws {RUN_ABSENT} */
  progress(runId: string): Promise<RunProgress>
  /** Marks runs done whose partitions are all finished; gives their ids. */
  finishRuns(): Promise<readonly string[]>
  runs(o: { limit: number; open?: boolean }): Promise<readonly Run[]>
}
