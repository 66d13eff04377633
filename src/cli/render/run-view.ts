/** How far one stage is. Unknown figures are null; bytes, rows, seconds. */
export type StageView = {
  readonly stage: string
  /** Partitions that are past this stage, finished ones among them. */
  readonly done: number
  readonly total: number
  readonly unit: 'bytes' | 'rows'
  readonly amount: number | null
  readonly amountTotal: number | null
  readonly perSecond: number | null
  readonly etaSeconds: number | null
}

/** What a run looks like at one instant: all that its screens are made of. */
export type RunView = {
  readonly runId: string
  readonly stages: readonly StageView[]
  readonly total: number
  readonly verified: number
  readonly flagged: number
  readonly quarantined: number
  readonly failed: number
  readonly late: number
  readonly elapsedSeconds: number
  readonly etaSeconds: number | null
  /** Why nothing moves, where something is known: `DISK_FULL`. */
  readonly waitsFor: string | null
}
