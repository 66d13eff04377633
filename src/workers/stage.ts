import type { StageJob } from '../jobs/stage-job.js'
import type { PipelineError } from '../domain/errors.js'
import type { PassFailpoint } from '../domain/failpoints.js'
import type { Archive } from '../domain/ports/archive.js'
import type { CandleEngine, ParquetOptions } from '../domain/ports/engine.js'
import type { JobQueue } from '../domain/ports/job-queue.js'
import type { ObjectStore } from '../domain/ports/object-store.js'
import type { JobOutcome, Log, Observe } from '../domain/ports/observe.js'
import type { Quarantine } from '../domain/ports/quarantine.js'
import type { Advance, Claim, Ended, StageCatalog, Verified } from '../domain/ports/stage-catalog.js'
import type { Staging } from '../domain/ports/staging.js'
import type { ErrorCode } from '../domain/errors.js'
import type { JobStage, Stage } from '../domain/states.js'
import type { Published } from '../domain/work.js'

/** What stages may be told by configuration. */
export type StageSettings = {
  readonly parquet: ParquetOptions
  /** A 404 is `late` up to this many days after the month's end, else `absent`. */
  readonly lateDays: number
  /** How many replaced revisions of a partition are kept. */
  readonly keepRevisions: number
  /** Above this many staged bytes downloads wait; one is always allowed when nothing else is staged. */
  readonly stagingMaxBytes: number
  readonly leaseMs: number
}

/** Everything a stage touches. */
export type Ports = {
  readonly workerId: string
  readonly catalog: StageCatalog
  readonly queue: JobQueue
  readonly archive: Archive
  readonly staging: Staging
  readonly quarantine: Quarantine
  readonly lake: ObjectStore
  readonly engine: CandleEngine
  readonly observe: Observe
  readonly log: Log
  readonly pass: PassFailpoint
  readonly now: () => Date
  readonly settings: StageSettings
}

/** What a stage's effect came to; the runner commits it, fenced. */
export type StageResult = { readonly bytesIn: number; readonly bytesOut: number; readonly rows: number } & (
  | { readonly kind: 'advance'; readonly advance: Advance }
  | { readonly kind: 'publish'; readonly effect: (published: Published | null) => Promise<Verified> }
  | { readonly kind: 'end'; readonly ended: Omit<Ended, 'attempt'> }
  | { readonly kind: 'restart'; readonly reason: ErrorCode }
)

/** A stage: does its effect, commits nothing. */
export type Handler = (claim: Claim, ports: Ports, signal: AbortSignal) => Promise<StageResult>

export type Handlers = { readonly [S in Stage]: Handler }

/** A job as it starts: `attempt` counts its earlier failed attempts, from 0; `waitSeconds` is since it was added. */
export type StartedJob = StageJob & {
  readonly stage: JobStage
  readonly attempt: number
  /** The queue gives it no further attempt. */
  readonly lastAttempt: boolean
  readonly waitSeconds: number
}

/** The same of a stage that a partition is in. */
export type PartitionJob = StartedJob & { readonly stage: Stage }

/** What becomes of the job; the runtime tells the queue. `delay` spends no attempt. */
export type Directive =
  | { readonly kind: 'done'; readonly outcome: JobOutcome }
  | { readonly kind: 'delay'; readonly ms: number; readonly code: ErrorCode }
  | { readonly kind: 'retry'; readonly error: PipelineError }
  | { readonly kind: 'fail'; readonly error: PipelineError }
