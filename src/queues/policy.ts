import type { RunKind } from '../domain/ports/plan-catalog.js'
import type { JobStage } from '../jobs/stages.js'

/**
 * How a stage's jobs are run. `attempts` counts failures that are the partition's own; what infrastructure does delays
 * a job and spends none. Backoffs are milliseconds: doubled after every failure, never above the cap, half of it jitter.
 */
export type StagePolicy = {
  readonly attempts: number
  readonly backoffBaseMs: number
  readonly backoffCapMs: number
  /** Jobs of the stage at once in one process, unless configured. */
  readonly concurrency: number
}

export const POLICY: Readonly<Record<JobStage, StagePolicy>> = {
  download: { attempts: 6, backoffBaseMs: 5_000, backoffCapMs: 300_000, concurrency: 4 },
  convert: { attempts: 3, backoffBaseMs: 2_000, backoffCapMs: 60_000, concurrency: 2 },
  upload: { attempts: 6, backoffBaseMs: 2_000, backoffCapMs: 120_000, concurrency: 4 },
  verify: { attempts: 4, backoffBaseMs: 2_000, backoffCapMs: 60_000, concurrency: 2 },
  migrate: { attempts: 4, backoffBaseMs: 5_000, backoffCapMs: 60_000, concurrency: 1 },
}

/** Lower is sooner; 0 is no priority, which BullMQ serves before every other one. */
export const PRIORITY: Readonly<Record<RunKind, number>> = { incremental: 0, retry: 5, backfill: 10 }

/**
 * How often a job may be found with a dead worker before the queue itself fails it. BullMQ's default of 1 ends a job
 * at its second kill -9. The catalog counts crashes as well and gives a partition up earlier; this is the net below.
 */
export const MAX_STALLED_COUNT = 10

/**
 * How often a job may start at all. Every delay for infrastructure and every hand-back at a shutdown is a start, so a
 * small number would end jobs that waited out a full disk; a year of starts every 30 s fits in here. Jobs that crash
 * their worker are capped by the catalog and by `MAX_STALLED_COUNT`.
 */
export const MAX_STARTED_ATTEMPTS = 1_100_000

/**
 * How long finished jobs stay visible. The catalog is the record, so few completed ones; on Postgres every completion
 * looks through those that are kept. `age` is seconds, `count` is per stage.
 */
export const KEEP = {
  completed: { age: 24 * 3600, count: 100 },
  failed: { age: 30 * 24 * 3600, count: 5_000 },
} as const

/** A lock of 15 s, looked after every 5 s: a job of a dead worker starts again within 20 s. */
export const DEFAULT_LOCK_MS = 15_000

/** BullMQ's two timers from the one setting, milliseconds: a dead worker's job starts again within their sum. */
export const locksOf = (lockMs: number): { readonly lockDuration: number; readonly stalledInterval: number } => ({
  lockDuration: lockMs,
  stalledInterval: Math.max(1, Math.round(lockMs / 3)),
})

/** Milliseconds to wait after the `failures`-th failure, counted from 1: between half and all of the capped exponential. */
export function backoffMs(policy: StagePolicy, failures: number, random: () => number = Math.random): number {
  const full = Math.min(policy.backoffCapMs, policy.backoffBaseMs * 2 ** Math.max(0, failures - 1))
  return Math.round(full / 2 + (full / 2) * random())
}
