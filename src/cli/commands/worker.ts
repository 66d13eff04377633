import { EXIT_ERROR, EXIT_INTERRUPTED, type CommandSpec, type Context, type FlagValues } from '../command.js'
import { graceMsOf } from '../interrupts.js'
import { concurrencyOf, stagesOf } from '../request-flags.js'

export const worker: CommandSpec = {
  name: 'worker',
  sentence: 'Does the work that others enqueued, until it is told to stop; logs to stderr.',
  example: 'candlelake worker --stages download,convert --concurrency convert=2,download=8',
  flags: [
    { flag: '--stages <list>', help: 'download, convert, upload, verify, migrate (default: all)', list: true },
    {
      flag: '--concurrency <list>',
      help: 'jobs at once: 4 for every stage, or convert=2,download=8 (default: settings)',
      list: true,
    },
  ],
  exits: [EXIT_ERROR, EXIT_INTERRUPTED],
  works: true,
  logs: true,
  run,
}

async function run(context: Context, flags: FlagValues): Promise<number> {
  const { out, interrupts, loaded } = context
  const stages = stagesOf(flags)
  const concurrency = concurrencyOf(flags)
  const app = await context.openApp()
  const workers = await app.startWorkers({ stages, concurrency })
  const jobs = stages.map((stage) => `${stage} ${workers.concurrency[stage] ?? '?'}`).join(', ')
  if (out.json) out.resultJson({ v: 1, type: 'worker', id: workers.id, stages, concurrency: workers.concurrency })
  else out.note(`worker ${workers.id} takes jobs: ${jobs}`)
  await fired(interrupts.signal)
  await workers.drain(graceMsOf(interrupts, loaded.config.shutdownGraceSeconds))
  return interrupts.ending?.code ?? 0
}

/** Resolves when the signal fires. */
export function fired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
