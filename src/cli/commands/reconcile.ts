import { STAGES } from '../../domain/states.js'
import type { App } from '../app.js'
import { DRY_RUN, EXIT_ERROR, EXIT_OK, type CommandSpec, type Context, type FlagValues } from '../command.js'

export const reconcile: CommandSpec = {
  name: 'reconcile',
  sentence: 'Puts lost jobs back into the queue, closes runs that are finished and sweeps what dead workers left.',
  example: 'candlelake reconcile',
  flags: [DRY_RUN],
  exits: [EXIT_OK, EXIT_ERROR],
  run,
}

async function run(context: Context, flags: FlagValues): Promise<number> {
  const { out } = context
  const { plural } = await import('../render/format.js')
  const app = await context.openApp()
  if (flags['dryRun'] === true) {
    const lost = await lostJobs(app)
    if (out.json) out.resultJson({ v: 1, type: 'reconcile', lost, dryRun: true })
    else out.result(`Would put back ${plural(lost, 'lost job')}. Nothing was changed.`)
    return 0
  }
  const { requeued, finishedRuns, lostWorkers, swept, repaired } = await app.reconcile()
  if (out.json) out.resultJson({ v: 1, type: 'reconcile', requeued, finishedRuns, lostWorkers, swept, repaired })
  else {
    out.result(`Put back ${plural(requeued, 'lost job')}, closed ${plural(finishedRuns.length, 'run')}, ` +
      `swept ${plural(swept.folders + swept.unfinished, 'leftover')} and ${plural(swept.objects, 'object')}.`)
    if (lostWorkers.length > 0) out.result(`Workers that died: ${lostWorkers.join(', ')}. See: candlelake workers`)
    const { noted, restarted, certificates, missed } = repaired
    if (noted + restarted > 0) out.result(`Published objects that differed: ${noted} noted, ${restarted} done again.`)
    if (certificates > 0) out.result(`Certificates written anew: ${certificates}.`)
    if (missed > 0) out.result(`Published objects that could not be compared: ${missed}. The log says why.`)
  }
  return 0
}

const LIMIT = 5_000

/** Rows that nothing moved for two periods and that the queue has no job for; at most 5,000 a stage are looked at. */
async function lostJobs(app: App): Promise<number> {
  const keeper = await app.keeper()
  let lost = 0
  for (const stage of STAGES) {
    const rows = await keeper.stale({ stage, unchangedMs: 2_000 * app.config.reconcileSeconds, limit: LIMIT })
    if (rows.length > 0) lost += rows.length - (await (await app.queue()).alive(rows)).length
  }
  return lost
}
