import { decisionOf, type FindingCode } from '../domain/findings.js'
import type { WorkEvent } from '../domain/ports/observe.js'
import type { RunProgress } from '../domain/ports/plan-catalog.js'
import { STAGES, STATES_OF, type Stage } from '../domain/states.js'
import { Pace } from './pace.js'
import type { RunView, StageView } from './render/run-view.js'
import { pendingOf } from './run-summary.js'

const WINDOW_MS = 15_000
/** A wait is shown until this long after the last job that was put off. */
const WAIT_SHOWN_MS = 10_000

/** What this process did in one stage. */
type Local = { bytes: number; rows: number; readonly amount: Pace; readonly count: Pace }

/**
 * Joins what the catalog says of a run (counts, whoever does the work) with what this process sees (bytes, rows,
 * findings) into one view. Knows no clock: every call brings its time, ms since 1970.
 */
export class RunTracker {
  readonly #startedMs: number
  readonly #downloadBytes: number | null
  readonly #local: Readonly<Record<Stage, Local>>
  readonly #findings = new Map<FindingCode, number>()
  #progress: RunProgress
  #bytesBefore: number
  #wait: { readonly code: string; readonly atMs: number } | null = null

  /** `downloadBytes` is what the plan has to download, null where it is not known. */
  constructor(o: { progress: RunProgress; downloadBytes: number | null; nowMs: number }) {
    this.#startedMs = o.nowMs
    this.#progress = o.progress
    this.#bytesBefore = o.progress.bytesIn
    this.#downloadBytes = o.downloadBytes
    const local = (): Local => ({ bytes: 0, rows: 0, amount: new Pace(WINDOW_MS), count: new Pace(WINDOW_MS) })
    this.#local = { download: local(), convert: local(), upload: local(), verify: local() }
    this.progress(o.progress, o.nowMs)
  }

  /** Takes an event of this process. */
  event(event: WorkEvent, nowMs: number): void {
    if (event.type === 'bytes') {
      this.#local[event.stage].bytes += event.count
    } else if (event.type === 'job') {
      // Hot rows are no part of a run.
      if (event.stage === 'migrate') return
      const local = this.#local[event.stage]
      if (event.outcome === 'ok') local.rows += event.rows
      if (event.outcome === 'ok' && event.stage === 'upload') local.bytes += event.bytesOut
      if (event.outcome === 'delayed' && event.code !== null && event.code !== 'LEASE_HELD')
        this.#wait = { code: event.code, atMs: nowMs }
      if (event.outcome === 'ok') this.#wait = null
    } else if (event.type === 'finished') {
      for (const { code } of event.findings) this.#findings.set(code, (this.#findings.get(code) ?? 0) + 1)
    }
  }

  /** Takes what the catalog says. */
  progress(progress: RunProgress, nowMs: number): void {
    this.#progress = progress
    for (const stage of STAGES) this.#local[stage].count.sample(pastStage(progress, stage), nowMs)
  }

  /** Partitions with each flagged finding, as far as this process saw them. */
  findings(): ReadonlyMap<FindingCode, number> {
    return new Map([...this.#findings].filter(([code]) => decisionOf(code) === 'flag'))
  }

  /** How many partitions are not finished. */
  pending(): number {
    return pendingOf(this.#progress.states)
  }

  view(nowMs: number): RunView {
    const { run, states, total, flagged } = this.#progress
    const stages = STAGES.map((stage) => this.#stageView(stage, nowMs))
    const etas = stages.map(({ etaSeconds }) => etaSeconds)
    const waits = this.#wait !== null && nowMs - this.#wait.atMs < WAIT_SHOWN_MS
    return {
      runId: run.id, stages, total, flagged,
      verified: states.verified + states.provisional,
      quarantined: states.quarantined, failed: states.failed, late: states.late,
      elapsedSeconds: (nowMs - this.#startedMs) / 1_000,
      etaSeconds: etas.includes(null) ? null : Math.max(...etas.map(Number)),
      waitsFor: waits ? (this.#wait?.code ?? null) : null,
    }
  }

  #stageView(stage: Stage, nowMs: number): StageView {
    const { total } = this.#progress
    const local = this.#local[stage]
    const done = pastStage(this.#progress, stage)
    const unit = stage === 'download' || stage === 'upload' ? 'bytes' : 'rows'
    const elsewhere = stage === 'download' ? this.#progress.bytesIn - this.#bytesBefore : 0
    const amount = Math.max(elsewhere, unit === 'bytes' ? local.bytes : local.rows)
    local.amount.sample(amount, nowMs)
    const finished = done >= total
    const left = total - done
    const pace = local.count.perSecond()
    const amountTotal =
      stage === 'download' && this.#downloadBytes !== null ? Math.max(this.#downloadBytes, amount) : null
    return {
      stage, done, total, unit, amountTotal,
      amount: amount === 0 && amountTotal === null ? null : amount,
      perSecond: finished || amount === 0 ? null : local.amount.perSecond(),
      etaSeconds: finished ? 0 : pace === null || pace === 0 ? null : left / pace,
    }
  }
}

/** Partitions that are past a stage, finished ones among them. */
function pastStage({ states, total }: RunProgress, stage: Stage): number {
  const before = STAGES.slice(0, STAGES.indexOf(stage) + 1).flatMap((s) => STATES_OF[s])
  return total - before.reduce((sum, state) => sum + states[state], 0)
}
