import type { QueueCounts } from '../../domain/ports/job-queue.js'
import type { WorkerRow } from '../../domain/ports/keeper-catalog.js'
import type { RunProgress } from '../../domain/ports/plan-catalog.js'
import { FINISHED, JOB_STAGES, STAGES, STATES_OF, type JobStage, type State } from '../../domain/states.js'
import { pendingOf } from '../run-summary.js'
import { formatBytes, formatClock, formatCount, formatSeconds } from './format.js'
import { escapeControls } from './escape.js'

/** What `status` shows, as it was at `now`. */
export type Status = {
  readonly now: Date
  readonly states: Readonly<Record<State, number>>
  readonly lakeBytes: number
  /** Partitions of which the lake shows an object, those that a later try did not replace included. */
  readonly published: number
  readonly runs: readonly RunProgress[]
  readonly workers: readonly WorkerRow[]
  readonly queue: Readonly<Record<JobStage, QueueCounts>>
}

/** One line for the lake, and one for each run, each worker and the queues. */
export function renderStatus(status: Status): readonly string[] {
  return [
    label('lake', lakeLine(status)),
    ...status.runs.map((progress) => label('run', runLine(progress, status.now))),
    ...status.workers.map((worker) => label('worker', workerLine(worker, status.now))),
    label('queue', queueLine(status.queue)),
  ]
}

const label = (name: string, text: string): string => `${name.padEnd(8)}${text}`.trimEnd()

function lakeLine({ states, lakeBytes, published }: Status): string {
  const ends = FINISHED.filter((state) => state === 'verified' || states[state] > 0)
  const older = published - states.verified - states.provisional
  return [
    ...ends.map((state) => `${formatCount(states[state])} ${state}`),
    ...(older > 0 ? [`${formatCount(older)} of an older revision still served`] : []),
    formatBytes(lakeBytes),
  ].join('  ')
}

function runLine(progress: RunProgress, now: Date): string {
  const { run, states, total } = progress
  const pending = pendingOf(states)
  const bad = (['quarantined', 'failed', 'late'] as const).filter((state) => states[state] > 0)
  const moving = STAGES.map((stage) => [stage, STATES_OF[stage].reduce((n, state) => n + states[state], 0)] as const)
  return [
    `${run.id} ${run.kind}`, `${formatCount(total - pending)}/${formatCount(total)}`,
    ...moving.filter(([, n]) => n > 0).map(([stage, n]) => `${stage} ${formatCount(n)}`),
    ...bad.map((state) => `${formatCount(states[state])} ${state}`),
    run.state === 'running' ? `ETA ${formatClock(etaOf(progress, now))}` : run.state,
  ].join('  ')
}

/** From the mean pace since the run began: a look at one instant knows no other. */
export function etaOf({ run, states, total, alreadyDone }: RunProgress, now: Date): number | null {
  const pending = pendingOf(states)
  const done = total - pending - alreadyDone
  return done <= 0 ? null : ((now.getTime() - run.createdAt.getTime()) / 1_000 / done) * pending
}

function workerLine(worker: WorkerRow, now: Date): string {
  const silent = Math.max(0, (now.getTime() - worker.seenAt.getTime()) / 1_000)
  const where = `${escapeControls(worker.host)}:${worker.pid}`
  const seen = `seen ${formatSeconds(silent)} ago`
  if (!worker.lost) return [where, worker.stages.join(' '), `${worker.doing.length} in hand`, seen].join('  ')
  const held = worker.doing.map(({ stage, partition }) => `${stage} ${escapeControls(partition)}`)
  return [`${where} lost`, seen, held.length === 0 ? 'held nothing' : `held ${held.join(', ')}`].join('  ')
}

function queueLine(queue: Status['queue']): string {
  const shown = JOB_STAGES.flatMap((stage) => {
    const counts = (['waiting', 'active', 'delayed', 'failed'] as const).filter((kind) => queue[stage][kind] > 0)
    const texts = counts.map((kind) => `${formatCount(queue[stage][kind])} ${kind}`)
    return texts.length === 0 ? [] : [`${stage} ${texts.join(', ')}`]
  })
  return shown.length === 0 ? 'empty' : shown.join('  ')
}
