import type { RunProgress } from '../../domain/ports/plan-catalog.js'
import { EXIT_ERROR, EXIT_OK, type CommandSpec, type Context } from '../command.js'
import type { Status } from '../render/status.js'

export const status: CommandSpec = {
  name: 'status',
  sentence: 'Shows the lake, the runs, the workers and the queues as they are now.',
  example: 'candlelake status --json',
  flags: [],
  exits: [EXIT_OK, EXIT_ERROR],
  run,
}

async function run(context: Context): Promise<number> {
  const { renderStatus } = await import('../render/status.js')
  const app = await context.openApp()
  const [plans, keeper, queue] = [await app.plans(), await app.keeper(), await app.queue()]
  const groups = await keeper.summary()
  const seen: Status = {
    now: new Date(),
    states: await keeper.states(),
    lakeBytes: groups.reduce((sum, group) => sum + group.bytesOut, 0),
    published: groups.reduce((sum, group) => sum + group.published, 0),
    runs: await shownRuns(plans),
    workers: await keeper.workers(),
    queue: await queue.counts(),
  }
  if (context.out.json) context.out.resultJson(statusJson(seen))
  else context.out.result(...renderStatus(seen))
  return 0
}

type Plans = {
  runs(o: { limit: number; open?: boolean }): Promise<readonly { readonly id: string }[]>
  progress(id: string): Promise<RunProgress>
}

/** The open runs; the last one where none is open. */
async function shownRuns(plans: Plans): Promise<readonly RunProgress[]> {
  const open = await plans.runs({ limit: 20, open: true })
  const shown = open.length > 0 ? open : await plans.runs({ limit: 1 })
  return await Promise.all(shown.map(({ id }) => plans.progress(id)))
}

function statusJson({ now, states, lakeBytes, published, runs, workers, queue }: Status) {
  return {
    v: 1, type: 'status', now, lake: { partitions: states, published, bytes: lakeBytes },
    runs: runs.map(({ run, states: partitions, total, alreadyDone, rows, bytesIn, bytesOut, flagged }) => ({
      id: run.id, kind: run.kind, state: run.state, createdAt: run.createdAt, finishedAt: run.finishedAt,
      total, alreadyDone, flagged, partitions, rows, bytesIn, bytesOut,
    })),
    workers, queue,
  }
}
