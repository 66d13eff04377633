/**
 * A worker as a process that may be killed: what it does goes to stdout as JSON lines. Not the command `worker`: faults
 * are judged by what each single job came to, which that command does not print.
 */
import { openApp } from '../../src/compose.js'
import { loadConfig } from '../../src/config.js'
import { asPipelineError } from '../../src/domain/errors.js'
import { partitionKeyOf } from '../../src/domain/partition.js'
import { JOB_STAGES } from '../../src/domain/states.js'

const say = (line: Readonly<Record<string, unknown>>): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
const at = (level: string) => (name: string, fields?: Readonly<Record<string, unknown>>): void =>
  say({ event: 'log', level, name, ...fields })

const { config } = await loadConfig()
const app = openApp({
  config,
  log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
  observe: (event) => {
    if (event.type === 'job') say({ ...event, event: 'job', partition: partitionKeyOf(event.partition) })
  },
})

let ending: Promise<void> | undefined
process.on('SIGTERM', () => (ending ??= end()))

const workers = await app.startWorkers({ stages: JOB_STAGES, concurrency: {} }).catch((thrown: unknown) => {
  const { code, message } = asPipelineError(thrown)
  say({ event: 'refused', code, message })
  process.exit(1)
})
say({ event: 'ready', id: workers.id })

async function end(): Promise<void> {
  await workers.drain(5_000)
  await app.close()
  process.exit(0)
}
