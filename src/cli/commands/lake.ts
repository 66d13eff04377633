import {
  DRY_RUN, EXIT_ERROR, EXIT_OK, type CommandGroup, type CommandSpec, type Context, type FlagValues,
} from '../command.js'

const moved: CommandSpec = {
  name: 'moved',
  sentence: 'Records that the lake was moved to where LAKE_URL points now; published objects must be there.',
  example: 'candlelake lake moved --lake-url file:///srv/lake',
  flags: [DRY_RUN],
  exits: [EXIT_OK, EXIT_ERROR],
  run,
}

export const lake: CommandGroup = {
  name: 'lake',
  sentence: 'Tells the catalog about the lake.',
  commands: [moved],
}

async function run(context: Context, flags: FlagValues): Promise<number> {
  const { out } = context
  const { plural } = await import('../render/format.js')
  const dryRun = flags['dryRun'] === true
  const { from, to, looked } = await (await context.openApp()).moveLake({ dryRun })
  if (out.json) out.resultJson({ v: 1, type: 'lake', from, to, looked, dryRun })
  else if (from === to) out.result(`The lake of this catalog is at ${to} already.`)
  else {
    const seen = `looked at ${plural(looked, 'object')}`
    if (dryRun) out.result(`Would record ${to}, ${seen}. Nothing was changed.`)
    else out.result(`The lake is at ${to} now, was at ${from}; ${seen}.`)
  }
  return 0
}
