import { PipelineError } from '../../domain/errors.js'
import { TASK_KINDS, type ScheduleEntry, type TaskKind } from '../../domain/ports/schedules.js'
import {
  EXIT_ERROR, EXIT_INTERRUPTED, EXIT_OK, textFlag, type CommandGroup, type CommandSpec, type Context, type FlagValues,
} from '../command.js'
import { checkSpot, SERIES_FLAGS, seriesOf } from './sync.js'
import { fired } from './worker.js'

/**
 * A few seconds into the minute, when the candle before it has closed everywhere; after the archive's hour; and when the
 * archive's months have had an hour to become verified.
 */
const CRON: Readonly<Record<TaskKind, string>> = { tail: '3 * * * * *', months: '30 4 * * *', migrate: '30 5 * * *' }

const add: CommandSpec = {
  name: 'add',
  argument: { form: '<task>', help: 'tail: hot rows up to now; months: the last two of the archive; migrate: hot rows past HOT_DAYS' },
  sentence: 'Adds a schedule, or replaces the one of its name.',
  example: 'candlelake schedule add tail --symbols BTCUSDT,ETHUSDT --intervals 1m',
  flags: [
    ...SERIES_FLAGS,
    { flag: '--name <name>', help: 'its name (default: the task)' },
    { flag: '--cron <pattern>', help: 'when, in UTC: five fields, or six with seconds (default: each minute; 04:30; 05:30)' },
  ],
  exits: [EXIT_OK, EXIT_ERROR],
  run: runAdd,
}

const list: CommandSpec = {
  name: 'list',
  sentence: 'Shows the schedules, and when each ticks next.',
  example: 'candlelake schedule list',
  flags: [],
  exits: [EXIT_OK, EXIT_ERROR],
  run: runList,
}

const remove: CommandSpec = {
  name: 'remove',
  argument: { form: '<name>', help: 'a name, as list shows it' },
  sentence: 'Removes a schedule; a tick that runs goes on.',
  example: 'candlelake schedule remove tail',
  flags: [],
  exits: [EXIT_OK, EXIT_ERROR],
  run: runRemove,
}

const run: CommandSpec = {
  name: 'run',
  sentence: 'Does what the schedules say, until it is told to stop; several may run. Logs to stderr.',
  example: 'candlelake schedule run',
  flags: [],
  exits: [EXIT_ERROR, EXIT_INTERRUPTED],
  works: true,
  logs: true,
  run: runTicks,
}

export const schedule: CommandGroup = {
  name: 'schedule',
  sentence: 'Does things again and again: the newest candles, the newest months, what is hot no longer.',
  commands: [add, list, remove, run],
}

async function runAdd(context: Context, flags: FlagValues, text = ''): Promise<number> {
  const kind = TASK_KINDS.find((one) => one === text)
  if (kind === undefined) {
    const facts = { at: 'the task', do: `use ${TASK_KINDS.join(', ')}` }
    throw new PipelineError('BAD_USAGE', `there is no task "${text.slice(0, 40)}"`, facts)
  }
  const { series } = await seriesOf(flags)
  const [first] = series
  if (first === undefined) return 0
  if (kind === 'tail') checkSpot(series)
  const name = textFlag(flags, 'name') ?? kind
  const unique = <K extends 'symbol' | 'interval'>(key: K) => [...new Set(series.map((one) => one[key]))]
  const task = { kind, dataset: first.dataset, symbols: unique('symbol'), intervals: unique('interval') }
  const app = await context.openApp()
  const schedules = await app.schedules()
  await schedules.put({ name, cron: textFlag(flags, 'cron') ?? CRON[kind], task })
  const added = await schedules.get(name)
  if (context.out.json) context.out.resultJson({ v: 1, type: 'schedule', ...(added ? itemOf(added) : { name }) })
  else {
    const next = added?.next?.toISOString() ?? '?'
    context.out.result(`${name} ticks next at ${next}; candlelake schedule run does it.`)
  }
  return 0
}

const itemOf = ({ name, cron, task, next }: ScheduleEntry) => ({ name, cron, ...(task ?? { kind: null }), next })

async function runList(context: Context): Promise<number> {
  const { out } = context
  const { renderTable } = await import('../render/table.js')
  const found = await (await (await context.openApp()).schedules()).list()
  if (out.json) out.resultJson({ v: 1, type: 'schedules', items: found.map(itemOf) })
  else if (found.length === 0) out.result('There are no schedules.')
  else {
    const columns = ['name', 'task', 'cron (UTC)', 'dataset', 'symbols', 'intervals', 'next']
      .map((title) => ({ title, align: 'left' as const }))
    out.result(...renderTable(columns, found.map(({ name, cron, task, next }) => [
      name, task?.kind ?? '?', cron, task?.dataset ?? '?', task?.symbols.join(',') ?? '?', task?.intervals.join(',') ?? '?',
      next?.toISOString() ?? '',
    ])))
  }
  return 0
}

async function runRemove(context: Context, _: FlagValues, name = ''): Promise<number> {
  const removed = await (await (await context.openApp()).schedules()).remove(name)
  if (!removed) {
    const facts = { at: name, do: 'candlelake schedule list' }
    throw new PipelineError('NOTHING_MATCHES', 'there is no schedule of this name', facts)
  }
  if (context.out.json) context.out.resultJson({ v: 1, type: 'removed', name })
  else context.out.result(`Removed ${name}.`)
  return 0
}

async function runTicks(context: Context): Promise<number> {
  const { out, interrupts } = context
  const app = await context.openApp()
  const ticks = await app.runSchedules({
    onTick: (tick) => (out.json ? out.resultJson({ v: 1, type: 'tick', ...tick }) : undefined),
  })
  if (!out.json) out.note('the schedules run')
  await fired(interrupts.signal)
  await ticks.close()
  return interrupts.ending?.code ?? 0
}
