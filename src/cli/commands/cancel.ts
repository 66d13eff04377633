import { DRY_RUN, EXIT_ERROR, EXIT_OK, type CommandSpec, type Context, type FlagValues } from '../command.js'
import { pendingOf } from '../run-summary.js'

export const cancel: CommandSpec = {
  name: 'cancel',
  argument: { form: '<run>', help: 'the run, as status names it' },
  sentence: 'Ends a run: its unfinished partitions are given up unless another run wants them.',
  example: 'candlelake cancel 7f3k2',
  flags: [DRY_RUN],
  exits: [EXIT_OK, EXIT_ERROR],
  run,
}

async function run(context: Context, flags: FlagValues, id = ''): Promise<number> {
  const { out } = context
  const { plural } = await import('../render/format.js')
  const plans = await (await context.openApp()).plans()
  if (flags['dryRun'] === true) {
    const pending = pendingOf((await plans.progress(id)).states)
    if (out.json) out.resultJson({ v: 1, type: 'cancel', run: id, unfinished: pending, dryRun: true })
    else out.result(`Would cancel run ${id}: ${plural(pending, 'partition')} not finished. Nothing was changed.`)
    return 0
  }
  const { cancelled, kept } = await plans.cancel(id)
  if (out.json) out.resultJson({ v: 1, type: 'cancel', run: id, cancelled, kept })
  else {
    const others = kept > 0 ? `, ${kept} kept for other runs` : ''
    out.result(`Cancelled run ${id}: ${plural(cancelled, 'partition')} given up${others}.`)
  }
  return 0
}
