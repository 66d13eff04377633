import { z } from 'zod'
import { DATASETS } from '../domain/dataset.js'
import { PipelineError } from '../domain/errors.js'
import { INTERVALS, type Interval } from '../domain/interval.js'
import type { Series } from '../domain/partition.js'
import type { Task, TaskKind } from '../domain/ports/schedules.js'

/** The version of payload that this program writes, and the only one it runs. */
const VERSION = 1

/** What a tick does: `t` brings hot rows up to now, `m` plans months of the archive, `h` migrates hot rows. */
const schema = z.strictObject({
  v: z.literal(VERSION),
  k: z.enum(['t', 'm', 'h']),
  d: z.enum(DATASETS as readonly [Series['dataset'], ...Series['dataset'][]]),
  s: z.array(z.string().max(64)).min(1),
  i: z.array(z.enum(INTERVALS as readonly [Interval, ...Interval[]])).min(1),
})

export type ScheduleJobData = z.infer<typeof schema>

const KIND_OF = { t: 'tail', m: 'months', h: 'migrate' } as const satisfies Record<ScheduleJobData['k'], TaskKind>
const LETTER_OF = { tail: 't', months: 'm', migrate: 'h' } as const satisfies Record<TaskKind, ScheduleJobData['k']>

export const encodeTask = ({ kind, dataset, symbols, intervals }: Task): ScheduleJobData =>
  ({ v: VERSION, k: LETTER_OF[kind], d: dataset, s: [...symbols], i: [...intervals] })

/** @throws {BAD_JOB} */
export function decodeTask(data: unknown): Task {
  const parsed = schema.safeParse(data)
  if (parsed.success) {
    const { k, d, s, i } = parsed.data
    return { kind: KIND_OF[k], dataset: d, symbols: s, intervals: i }
  }
  const fields = parsed.error.issues.map((issue) => issue.path.join('.')).join(', ')
  throw new PipelineError('BAD_JOB', `a schedule's payload is not of version ${VERSION} (${fields})`, {
    do: 'add the schedule again',
  })
}
