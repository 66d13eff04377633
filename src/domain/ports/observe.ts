import type { ErrorCode } from '../errors.js'
import type { Finding } from '../findings.js'
import type { Partition, Series } from '../partition.js'
import type { JobStage, Stage, State } from '../states.js'
import type { TaskKind } from './schedules.js'

export type JobOutcome = 'ok' | 'retry' | 'delayed' | 'failed' | 'quarantined' | 'fenced' | 'skipped'

/** Of a schedule: `interrupted` when the process is told to stop. */
export type TickOutcome = 'ok' | 'failed' | 'interrupted'

/** What happened in this process; metrics and progress bars listen. Seconds and bytes. */
export type WorkEvent =
  | { readonly type: 'job'; readonly stage: JobStage; readonly partition: Partition; readonly outcome: JobOutcome
      readonly code: ErrorCode | null; readonly seconds: number; readonly waitSeconds: number
      readonly bytesIn: number; readonly bytesOut: number; readonly rows: number }
  | { readonly type: 'bytes'; readonly stage: Stage; readonly count: number }
  | { readonly type: 'finished'; readonly partition: Partition; readonly state: State
      readonly findings: readonly Finding[]; readonly code: ErrorCode | null; readonly message: string | null }
  | { readonly type: 'tick'; readonly task: TaskKind; readonly outcome: TickOutcome; readonly code: ErrorCode | null }
  | ExchangeAnswer
  | { readonly type: 'fed'; readonly series: Series; readonly stored: number }
  | { readonly type: 'subscriptions'; readonly open: number }
  | { readonly type: 'healed'; readonly awayMs: number }

/**
 * A request to the exchange: the answer's status, null where none came, and the weight that this address has used in
 * the minute, where the answer says so. At `weightLimit` this process waits for the next minute.
 */
export type ExchangeAnswer = {
  readonly type: 'exchange'
  readonly status: number | null
  readonly usedWeight: number | null
  readonly weightLimit: number
}

export type Observe = (event: WorkEvent) => void

/** Structured log lines: an event name and fields, no secret among them. */
export interface Log {
  debug(event: string, fields?: Readonly<Record<string, unknown>>): void
  info(event: string, fields?: Readonly<Record<string, unknown>>): void
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void
  error(event: string, fields?: Readonly<Record<string, unknown>>): void
}
