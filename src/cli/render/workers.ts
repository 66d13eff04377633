import type { WorkerRow } from '../../domain/ports/keeper-catalog.js'
import { formatSeconds } from './format.js'
import { renderTable, type Column } from './table.js'

const COLUMNS: readonly Column[] = ['worker', 'process', 'state', 'seen', 'stages', 'in hand'].map((title) =>
  ({ title, align: 'left' }))

/** A line for each worker, and one more for each further partition in hand; a lost one held them when it died. */
export function renderWorkers(workers: readonly WorkerRow[], now: Date): readonly string[] {
  if (workers.length === 0) return []
  return renderTable(COLUMNS, workers.flatMap((worker) => linesOf(worker, now)))
}

function linesOf(worker: WorkerRow, now: Date): readonly (readonly string[])[] {
  const { id, host, pid, lost, seenAt, stages } = worker
  const [first = '-', ...more] = worker.doing.map((one) => inHand(one, lost ? seenAt : now))
  const state = lost ? 'lost' : worker.doing.length > 0 ? 'busy' : 'idle'
  const line = [id, `${host}:${pid}`, state, `${ageOf(seenAt, now)} ago`, stages.join(' '), first]
  return [line, ...more.map((text) => ['', '', '', '', '', text])]
}

const inHand = ({ stage, partition, since }: WorkerRow['doing'][number], until: Date): string =>
  [stage, partition, ...(since === undefined ? [] : [ageOf(new Date(since), until)])].join(' ')

const ageOf = (at: Date, now: Date): string => formatSeconds(Math.max(0, (now.getTime() - at.getTime()) / 1_000))
