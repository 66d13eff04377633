import type { Certificate } from '../certificate.js'
import type { ErrorCode, Facts } from '../errors.js'
import type { Finding } from '../findings.js'
import type { Partition } from '../partition.js'
import type { Stage } from '../states.js'
import type { Converted, Downloaded, Published, Uploaded, Work } from '../work.js'

/** The right to do one stage of one partition until the lease ends. `token` is this execution's alone. */
export type Claim = {
  readonly stage: Stage
  readonly partition: Partition
  readonly generation: number
  readonly token: string
  readonly workerId: string
  readonly work: Work
  readonly published: Published | null
}

export type ClaimResult =
  | { readonly kind: 'claimed'; readonly claim: Claim }
  /** Another living worker has it. */
  | { readonly kind: 'held'; readonly forMs: number }
  /** This stage's work is committed: the partition waits for `stage`, or is finished when null. */
  | { readonly kind: 'ahead'; readonly stage: Stage | null }
  /** Failed or quarantined at this generation; `attempt` is the job's attempt that ended it. */
  | { readonly kind: 'ended'; readonly state: 'failed' | 'quarantined'; readonly attempt: number }
  /** A newer generation exists, the run was cancelled, or the row is gone: the job has nothing to do. */
  | { readonly kind: 'superseded' }
  /** Claimed `crashes` times in a row by workers that died with it. */
  | { readonly kind: 'poisoned'; readonly crashes: number }

export type Advance =
  | { readonly stage: 'download'; readonly downloaded: Downloaded }
  | { readonly stage: 'convert'; readonly converted: Converted }
  | { readonly stage: 'upload'; readonly uploaded: Uploaded }

/** How verify leaves a partition. */
export type Verified = {
  readonly state: 'verified' | 'provisional'
  readonly published: Published
  readonly certificate: Certificate
}

/** An end that is not a publication. `code` and `facts` are stored and shown; `kept` is where quarantined files lie. */
export type Ended = {
  readonly state: 'late' | 'absent' | 'quarantined' | 'failed'
  readonly code: ErrorCode
  readonly message: string
  readonly facts: Facts
  readonly findings?: readonly Finding[]
  readonly kept?: string | null
  /** The job's attempt, from 0: a job that starts again with a higher one was retried by a person. */
  readonly attempt: number
}

/**
 * The catalog as a stage sees it. Every write is fenced: it touches the row only while generation and lease are the
 * claim's; `false` means fenced, and nothing was changed. All @throws {CATALOG_UNREACHABLE}.
 */
export interface StageCatalog {
  /** Takes the lease when the row is at this stage and generation and the lease is free, expired or this worker's. */
  claim(o: { stage: Stage; partition: Partition; generation: number; workerId: string; leaseMs: number }): Promise<ClaimResult>
  /** Prolongs leases; gives back the tokens that are still held. */
  renew(o: { tokens: readonly string[]; leaseMs: number }): Promise<ReadonlySet<string>>
  /** Records a stage's result, moves the row to the next stage and frees the lease. */
  commit(claim: Claim, advance: Advance): Promise<boolean>
  /** Runs `effect` while the row is locked, then records what it gives in the same transaction. */
  publish(claim: Claim, effect: (published: Published | null) => Promise<Verified>): Promise<boolean>
  /** Ends the partition without publishing. A quarantine gets its row in the quarantine table. */
  end(claim: Claim, ended: Ended): Promise<boolean>
  /** Gives the lease back with the work undone; code and message say why it waits. */
  release(claim: Claim, o: { code: ErrorCode; message: string }): Promise<boolean>
  /** Frees the lease of an execution that does not end in time; what it still does is fenced. False: it holds none. */
  letGo(o: { partition: Partition; generation: number; workerId: string }): Promise<boolean>
  /** Starts the partition over: raised generation, state planned, staged files forgotten. Null when fenced. */
  restart(claim: Claim, reason: ErrorCode): Promise<{ readonly generation: number } | null>
  /** The same for a failed or quarantined row that nobody holds. Null when it is no longer at this generation. */
  reopen(o: { partition: Partition; generation: number }): Promise<{ readonly generation: number } | null>
  /** Ends as failed a partition whose workers keep dying; no claim is held. Fenced by generation only. */
  giveUp(o: { stage: Stage; partition: Partition; generation: number; code: ErrorCode; message: string }): Promise<boolean>
  /** Bytes that rows on their way hold in staging. */
  stagedBytes(): Promise<number>
}
