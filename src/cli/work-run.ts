import { partitionKeyOf } from '../domain/partition.js'
import type { WorkEvent } from '../domain/ports/observe.js'
import type { RunProgress } from '../domain/ports/plan-catalog.js'
import { STAGES, type Stage } from '../domain/states.js'
import type { App } from './app.js'
import type { Context } from './command.js'
import { followRun, Pause } from './follow-run.js'
import { graceMsOf } from './interrupts.js'
import type { ProgressScreen } from './progress-screen.js'
import { renderFinding, tale } from './render/findings.js'
import { formatCount } from './render/format.js'
import { renderSummary } from './render/summary.js'
import { exitCodeOf, pendingOf, summaryJson, summaryOf, type RunSummary } from './run-summary.js'
import { RunTracker } from './run-tracker.js'

/** Events of this process, for whoever listens at the moment. */
export class EventRelay {
  #listener: ((event: WorkEvent) => void) | null = null

  readonly observe = (event: WorkEvent): void => this.#listener?.(event)

  listen(listener: ((event: WorkEvent) => void) | null): void {
    this.#listener = listener
  }
}

export type RunToWork = {
  readonly app: App
  readonly events: EventRelay
  readonly runId: string
  readonly downloadBytes: number | null
  readonly concurrency: Readonly<Partial<Record<Stage, number>>>
  /** When the command began, ms since 1970: planning is part of how long it took. */
  readonly startedMs: number
}

/** Does a run's work here, in every stage, until the run is finished or a signal fires; shows it, and sums it up. */
export async function workRun(
  context: Context,
  run: RunToWork,
): Promise<{ readonly summary: RunSummary; readonly tracker: RunTracker }> {
  const plans = await run.app.plans()
  const first = await plans.progress(run.runId)
  const tracker = new RunTracker({ progress: first, downloadBytes: run.downloadBytes, nowMs: Date.now() })
  const last = pendingOf(first.states) === 0 ? first : await work(context, run, tracker)
  await plans.finishRuns()
  const groups = await (await run.app.keeper()).summary(run.runId)
  return { summary: summaryOf(last, groups, (Date.now() - run.startedMs) / 1_000), tracker }
}

async function work(context: Context, run: RunToWork, tracker: RunTracker): Promise<RunProgress> {
  const { openScreen } = await import('./progress-screen.js')
  const screen = await openScreen(context.out, process.stderr, () => new Date())
  const pause = new Pause()
  const plans = await run.app.plans()
  const { signal } = context.interrupts
  let finished = 0
  run.events.listen((event) => {
    tracker.event(event, Date.now())
    if (event.type !== 'finished') return
    noteFinding(event, screen, context)
    if (++finished >= tracker.pending()) pause.wake()
  })
  const show = (): void => screen.show(tracker.view(Date.now()))
  const timer = setInterval(show, screen.everyMs)
  const workers = await run.app.startWorkers({ stages: STAGES, concurrency: run.concurrency })
  try {
    await followRun({
      plans, runId: run.runId, signal, clock: Date.now,
      onProgress: (progress) => {
        finished = 0
        tracker.progress(progress, Date.now())
        show()
      },
      onTrouble: (error) => screen.note(`! the catalog does not answer, waiting: ${error.message}`),
      wait: (ms) => pause.wait(ms, signal),
    })
  } finally {
    await workers.drain(graceMsOf(context.interrupts, run.app.config.shutdownGraceSeconds))
    run.events.listen(null)
    clearInterval(timer)
    screen.end()
  }
  return await plans.progress(run.runId)
}

function noteFinding(event: WorkEvent & { type: 'finished' }, screen: ProgressScreen, { out }: Context): void {
  const text = tale(event)
  if (text === null || out.quiet || out.json) return
  const bad = event.state === 'quarantined' || event.state === 'failed'
  const width = out.live === 'tty' ? process.stderr.columns || 80 : null
  screen.note(renderFinding({ partition: partitionKeyOf(event.partition), text, bad, width, paint: out.paint.err }))
}

/** Prints how a run ended, and gives the exit code. `afterwards` is what to tell of a run that was stopped. */
export function reportRun(context: Context, summary: RunSummary, afterwards = 'The same command again resumes.'): number {
  const { out, interrupts } = context
  const pending = pendingOf(summary.states)
  if (out.json) out.resultJson(summaryJson(summary))
  else out.result(...renderSummary(summary))
  if (interrupts.ending === null || pending === 0) return exitCodeOf(summary.states)
  out.note(`Stopped with ${formatCount(pending)} of ${formatCount(summary.total)} to do. ${afterwards}`)
  return interrupts.ending.code
}
