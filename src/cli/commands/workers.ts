import { EXIT_ERROR, EXIT_OK, type CommandSpec, type Context } from '../command.js'

export const workers: CommandSpec = {
  name: 'workers',
  sentence: 'Lists the workers: where they run, what they have in hand and since when, and those that died with it.',
  example: 'candlelake workers --json',
  flags: [],
  exits: [EXIT_OK, EXIT_ERROR],
  run,
}

async function run(context: Context): Promise<number> {
  const { out } = context
  const { renderWorkers } = await import('../render/workers.js')
  const now = new Date()
  const found = await (await (await context.openApp()).keeper()).workers()
  if (out.json) {
    out.resultJson({ v: 1, type: 'workers', now, items: found })
    return 0
  }
  if (found.length === 0) out.note('No worker runs.')
  out.result(...renderWorkers(found, now))
  return 0
}
