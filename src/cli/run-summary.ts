import type { KeeperCatalog } from '../domain/ports/keeper-catalog.js'
import type { RunProgress } from '../domain/ports/plan-catalog.js'
import { UNFINISHED, type State } from '../domain/states.js'

export type SummaryRows = Awaited<ReturnType<KeeperCatalog['summary']>>

/** What a run came to. Rows and bytes are of the run's partitions, whoever did the work; bytes in are of ZIPs. */
export type RunSummary = {
  readonly runId: string
  readonly states: Readonly<Record<State, number>>
  readonly total: number
  readonly flagged: number
  readonly rows: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly seconds: number
  readonly groups: SummaryRows
}

export function summaryOf(progress: RunProgress, groups: SummaryRows, seconds: number): RunSummary {
  const { run, states, total, flagged, rows, bytesIn, bytesOut } = progress
  return { runId: run.id, states, total, flagged, rows, bytesIn, bytesOut, seconds, groups }
}

/** Partitions that are not finished. */
export const pendingOf = (states: Readonly<Record<State, number>>): number =>
  UNFINISHED.reduce((sum, state) => sum + states[state], 0)

/** 0 all verified, provisional or absent; 2 some quarantined, failed or cancelled; 3 only late ones remain. */
export function exitCodeOf(states: Readonly<Record<State, number>>): 0 | 2 | 3 {
  if (states.quarantined + states.failed + states.cancelled > 0) return 2
  return states.late > 0 ? 3 : 0
}

/** The last line of a run under `--json`. Two counts appear only where they are not zero. */
export function summaryJson(summary: RunSummary): Readonly<Record<string, unknown>> {
  const { verified, provisional, absent, late, quarantined, failed, cancelled } = summary.states
  const pending = pendingOf(summary.states)
  return {
    v: 1,
    type: 'summary',
    run: summary.runId,
    partitions: {
      verified, provisional, absent, late, quarantined, failed,
      ...(cancelled > 0 ? { cancelled } : {}), ...(pending > 0 ? { pending } : {}),
    },
    rows: summary.rows,
    bytesIn: summary.bytesIn,
    bytesOut: summary.bytesOut,
    seconds: Math.round(summary.seconds * 1_000) / 1_000,
  }
}
