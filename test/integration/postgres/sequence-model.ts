import type { PlannedRow, PlanDecision } from '../../../src/domain/plan.js'
import { planPartition } from '../../../src/domain/plan.js'
import type { Partition } from '../../../src/domain/partition.js'
import { STAGE_OF, STAGES, type Stage, type State } from '../../../src/domain/states.js'

/** A partition's row as the promise of the catalog has it, without SQL. */
export type ModelRow = {
  generation: number
  state: State
  lease: { readonly token: string; readonly holder: string; expired: boolean } | null
  crashes: number
}

export type ModelRun = { readonly id: string; open: boolean; readonly partitions: Set<number> }

/** What the catalog must do, step by step, with partitions known by their index. */
export class SequenceModel {
  readonly rows = new Map<number, ModelRow>()
  readonly runs: ModelRun[] = []
  /** Publications by partition and generation. */
  readonly publications = new Map<string, number>()
  readonly maxCrashes: number

  constructor(maxCrashes: number) {
    this.maxCrashes = maxCrashes
  }

  /** The kind of answer that a claim gets; `granted` tells the model the token. */
  claim(at: number, o: { stage: Stage; generation: number; workerId: string }): string {
    const row = this.rows.get(at)
    if (row?.generation !== o.generation || row.state === 'cancelled') return 'superseded'
    if (row.state === 'failed' || row.state === 'quarantined') return 'ended'
    const stage = STAGE_OF[row.state]
    if (stage === null || STAGES.indexOf(stage) > STAGES.indexOf(o.stage)) return 'ahead'
    if (stage !== o.stage) return 'superseded'
    if (row.lease && !row.lease.expired && row.lease.holder !== o.workerId) return 'held'
    return row.crashes >= this.maxCrashes ? 'poisoned' : 'claimed'
  }

  granted(at: number, token: string, holder: string): void {
    const row = this.row(at)
    row.lease = { token, holder, expired: false }
    row.crashes++
    if (row.state === 'planned') row.state = 'downloading'
  }

  /** Whether a write with this token goes through; then the row is in `to` and free. */
  write(at: number, claim: { token: string; generation: number }, to: State, raise = 0): boolean {
    const row = this.rows.get(at)
    if (!row || row.lease?.token !== claim.token || row.generation !== claim.generation) return false
    Object.assign(row, { state: to, lease: null, crashes: 0, generation: row.generation + raise })
    return true
  }

  published(at: number, generation: number): void {
    const key = `${at} g${generation}`
    this.publications.set(key, (this.publications.get(key) ?? 0) + 1)
  }

  reopen(at: number, generation: number): boolean {
    const row = this.rows.get(at)
    if (row?.generation !== generation || (row.state !== 'failed' && row.state !== 'quarantined')) return false
    Object.assign(row, { state: 'planned', generation: generation + 1, crashes: 0 })
    return true
  }

  giveUp(at: number, stage: Stage, generation: number): boolean {
    const row = this.rows.get(at)
    if (row?.generation !== generation || STAGE_OF[row.state] !== stage) return false
    Object.assign(row, { state: 'failed', lease: null, crashes: 0 })
    return true
  }

  requeue(at: number, stage: Stage, generation: number): boolean {
    const row = this.rows.get(at)
    if (row?.generation !== generation || STAGE_OF[row.state] !== stage || (row.lease && !row.lease.expired)) return false
    Object.assign(row, { lease: null, generation: generation + 1 })
    return true
  }

  plannedRow(at: number): PlannedRow | undefined {
    const row = this.rows.get(at)
    return row && { generation: row.generation, state: row.state, sources: [], bounds: null, leased: row.lease?.expired === false }
  }

  plan(run: ModelRun, at: number, partition: Partition, force: boolean): PlanDecision {
    const decision = planPartition({ partition, sources: [], bounds: null }, this.plannedRow(at), force)
    run.partitions.add(at)
    if (decision.kind === 'start') {
      this.rows.set(at, { generation: (decision.from ?? 0) + 1, state: 'planned', lease: null, crashes: 0 })
    }
    return decision
  }

  cancel(run: ModelRun): { cancelled: number; kept: number } {
    const outcome = { cancelled: 0, kept: 0 }
    if (!run.open) return outcome
    run.open = false
    for (const at of run.partitions) {
      const row = this.row(at)
      if (STAGE_OF[row.state] === null) continue
      const wanted = this.runs.some((other) => other.open && other.partitions.has(at))
      outcome[wanted ? 'kept' : 'cancelled']++
      if (!wanted) Object.assign(row, { state: 'cancelled', generation: row.generation + 1, lease: null, crashes: 0 })
    }
    return outcome
  }

  row(at: number): ModelRow {
    const row = this.rows.get(at)
    if (!row) throw new Error(`the model has no row ${at}`)
    return row
  }
}
