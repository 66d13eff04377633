import { filterOf, matchesPartition, parsePartitionGlob, type PartitionGlob } from '../../domain/partition-glob.js'
import { partitionKeyOf } from '../../domain/partition.js'
import type { KeeperCatalog, QuarantineEntry } from '../../domain/ports/keeper-catalog.js'
import { PipelineError } from '../../domain/errors.js'
import {
  DRY_RUN,
  EXIT_ERROR,
  EXIT_INTERRUPTED,
  EXIT_OK,
  textFlag,
  type CommandGroup,
  type CommandSpec,
  type Context,
  type FlagValues,
} from '../command.js'
import { at } from '../request-flags.js'

const list: CommandSpec = {
  name: 'list',
  argument: { form: '[partitions]', help: 'a partition or a glob of them (default: all)' },
  sentence: 'Lists the partitions that are kept out of the lake, and why.',
  example: "candlelake quarantine list 'spot-klines/*/1h/*'",
  flags: [{ flag: '--limit <count>', help: 'so many at most' }],
  exits: [EXIT_OK, EXIT_ERROR],
  run: runList,
}

const retry: CommandSpec = {
  name: 'retry',
  argument: { form: '<partitions>', help: 'a partition or a glob of them' },
  sentence: 'Starts quarantined partitions over, from the download on.',
  example: "candlelake quarantine retry 'um-klines/*/1m/2022-0?'",
  flags: [DRY_RUN, { flag: '--detach', help: 'enqueue only; workers elsewhere do the rest' }],
  exits: [
    [0, 'all verified, provisional or absent; with --detach: enqueued'], EXIT_ERROR, [2, 'some quarantined or failed'],
    [3, 'only late ones remain'], EXIT_INTERRUPTED,
  ],
  works: true,
  run: runRetry,
}

export const quarantine: CommandGroup = {
  name: 'quarantine',
  sentence: 'Shows and retries the partitions that are kept out of the lake.',
  commands: [list, retry],
}

async function runList(context: Context, flags: FlagValues, text?: string): Promise<number> {
  const { out } = context
  const limit = limitOf(flags)
  const glob = globOf(text)
  const keeper = await (await context.openApp()).keeper()
  const found: QuarantineEntry[] = []
  for await (const entry of matching(keeper, glob)) {
    if (found.length >= limit) break
    found.push(entry)
  }
  if (out.json) {
    out.resultJson({
      v: 1,
      type: 'quarantine',
      items: found.map((entry) => ({ ...entry, partition: partitionKeyOf(entry.partition) })),
    })
    return 0
  }
  if (found.length === 0) out.note('Nothing is quarantined.')
  const { renderQuarantine } = await import('../render/quarantine.js')
  out.result(...renderQuarantine(found, out.width))
  return 0
}

async function runRetry(context: Context, flags: FlagValues, text?: string): Promise<number> {
  const { out } = context
  const startedMs = Date.now()
  const { EventRelay, reportRun, workRun } = await import('../work-run.js')
  const { plural } = await import('../render/format.js')
  const glob = globOf(text)
  const events = new EventRelay()
  const app = await context.openApp({ observe: events.observe })
  const partitions = []
  for await (const entry of matching(await app.keeper(), glob)) partitions.push(entry.partition)
  if (flags['dryRun'] === true) {
    if (out.json) out.resultJson({ v: 1, type: 'plan', total: partitions.length, todo: partitions.length, done: 0 })
    else out.result(`Would retry ${plural(partitions.length, 'partition')}. Nothing was changed.`)
    return 0
  }
  if (partitions.length === 0) {
    out.note('Nothing that matches is quarantined.')
    return 0
  }
  const { run, started } = await app.retryQuarantined(partitions)
  if (flags['detach'] === true) {
    if (out.json) out.resultJson({ v: 1, type: 'run', run: run.id, total: partitions.length, todo: started })
    else out.result(run.id)
    return 0
  }
  if (!out.json) out.note(`Retrying ${plural(started, 'partition')}`)
  const { summary } = await workRun(context, {
    app,
    events,
    runId: run.id,
    downloadBytes: null,
    concurrency: {},
    startedMs,
  })
  return reportRun(context, summary)
}

const globOf = (text = '*'): PartitionGlob => at('the partitions', () => parsePartitionGlob(text))

async function* matching(keeper: KeeperCatalog, glob: PartitionGlob): AsyncGenerator<QuarantineEntry> {
  for await (const entry of keeper.quarantine(filterOf(glob))) if (matchesPartition(glob, entry.partition)) yield entry
}

function limitOf(flags: FlagValues): number {
  const text = textFlag(flags, 'limit')
  if (text === undefined) return Infinity
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new PipelineError('BAD_USAGE', 'a limit is a whole number, at least 1', { at: '--limit', do: 'use 100' })
}
