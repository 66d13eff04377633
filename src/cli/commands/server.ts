import { EXIT_ERROR, EXIT_INTERRUPTED, textFlag, type CommandSpec, type Context, type FlagValues } from '../command.js'
import { PipelineError } from '../../domain/errors.js'
import { fired } from './worker.js'

export const server: CommandSpec = {
  name: 'server',
  sentence: 'Serves dashboard, metrics and health over HTTP until it is told to stop; logs to stderr.',
  example: 'candlelake server --port 3000',
  flags: [
    {
      flag: '--host <address>',
      help: 'address; another than loopback needs SERVER_USER and SERVER_PASSWORD (default: SERVER_HOST)',
    },
    { flag: '--port <number>', help: 'port; 0: any free one (default: SERVER_PORT)' },
  ],
  exits: [EXIT_ERROR, EXIT_INTERRUPTED],
  works: true,
  logs: true,
  run,
}

async function run(context: Context, flags: FlagValues): Promise<number> {
  const { out, interrupts, loaded: { config } } = context
  const app = await context.openApp()
  const serving = await app.serve({
    host: textFlag(flags, 'host') ?? config.serverHost,
    port: portOf(flags) ?? config.serverPort,
  })
  if (out.json) out.resultJson({ v: 1, type: 'server', url: serving.url })
  else out.result(`candlelake serves ${serving.url}`)
  await fired(interrupts.signal)
  await serving.close()
  return interrupts.ending?.code ?? 0
}

function portOf(flags: FlagValues): number | null {
  const text = textFlag(flags, 'port')
  if (text === undefined) return null
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw new PipelineError('BAD_USAGE', 'a port is a number from 0 to 65535', {
    at: '--port',
    do: 'use 3000, or 0 for any free one',
  })
}
