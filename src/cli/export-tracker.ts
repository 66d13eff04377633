import type { Progress } from '../domain/call.js'
import { monthOfUs, type Month } from '../domain/month.js'
import type { FoundCandles } from '../domain/ports/candle-source.js'
import type { SeriesRows } from '../exports/text-rows.js'
import { Pace } from './pace.js'
import type { StageView } from './render/run-view.js'

const WINDOW_MS = 10_000

/** How far an export is, counted in months; rows of a month mean that the months before it are done. */
export class ExportTracker {
  readonly total: number
  rows = 0
  readonly #downloads: boolean
  readonly #pace = { rows: new Pace(WINDOW_MS), bytes: new Pace(WINDOW_MS) }
  #current: readonly Month[] = []
  #before = 0
  #done = 0
  #download = { before: 0, now: 0, total: null as number | null, share: 0 }

  constructor(found: readonly FoundCandles[], downloads: boolean) {
    this.total = found.reduce((sum, { months }) => sum + months.length, 0)
    this.#downloads = downloads
  }

  /** The next series. */
  begin({ months }: FoundCandles): void {
    this.#before += this.#current.length
    this.#current = months
    this.#done = 0
    this.#download = { before: this.#download.before + this.#download.now, now: 0, total: null, share: 0 }
  }

  /** A month of the current series is being written. */
  reached(month: Month): void {
    while ((this.#current[this.#done] ?? month) < month) this.#done++
  }

  downloaded({ stage, done, total, bytes, bytesTotal }: Progress): void {
    if (stage !== 'download') return
    // Of several series, nobody has asked yet what those that follow weigh.
    const known = this.#current.length === this.total ? (bytesTotal ?? null) : null
    this.#download = { ...this.#download, now: bytes, total: known, share: done / Math.max(1, total) }
  }

  async *counted(batches: SeriesRows['batches']): SeriesRows['batches'] {
    for await (const batch of batches) {
      this.rows += batch.length
      const last = batch.at(-1)
      if (last) this.reached(monthOfUs(last.openTimeUs))
      yield batch
    }
    this.#done = this.#current.length
  }

  /** What its bars show at `nowMs`. */
  stages(nowMs: number): readonly StageView[] {
    const [bytes, done] = [this.#download.before + this.#download.now, this.#before + this.#done]
    this.#pace.rows.sample(this.rows, nowMs)
    this.#pace.bytes.sample(bytes, nowMs)
    const download: StageView = {
      stage: 'download', done: this.#before + Math.floor(this.#download.share * this.#current.length),
      total: this.total, unit: 'bytes', amount: bytes, amountTotal: this.#download.total,
      perSecond: this.#pace.bytes.perSecond(), etaSeconds: null,
    }
    const written: StageView = {
      stage: 'export', done, total: this.total, unit: 'rows', amount: this.rows, amountTotal: null,
      perSecond: this.#pace.rows.perSecond(), etaSeconds: this.#eta(done),
    }
    return this.#downloads ? [download, written] : [written]
  }

  /** Months are taken to hold as many rows as those before. */
  #eta(done: number): number | null {
    const perSecond = this.#pace.rows.perSecond()
    if (!perSecond || done === 0) return null
    return (this.rows / done) * (this.total - done) / perSecond
  }
}
