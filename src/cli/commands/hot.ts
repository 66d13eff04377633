import { PipelineError } from '../../domain/errors.js'
import { isoOfUs } from '../../domain/month.js'
import { filterOf, matchesPartition, parsePartitionGlob } from '../../domain/partition-glob.js'
import { parsePartitionKey, parseSeriesKey, partitionKeyOf, seriesKeyOf, type Series } from '../../domain/partition.js'
import type { Loaded } from '../../lake/load-hot.js'
import type { PrunedDay } from '../../lake/prune-hot.js'
import {
  DRY_RUN, EXIT_ERROR, EXIT_INTERRUPTED, EXIT_OK, textFlag, type CommandGroup, type CommandSpec, type Context,
  type FlagValues,
} from '../command.js'
import { filterMatching } from '../matching.js'
import { at } from '../request-flags.js'

const stats: CommandSpec = {
  name: 'stats',
  sentence: 'Shows what lies in the hot rows, by dataset and interval.',
  example: 'candlelake hot stats',
  flags: [],
  exits: [EXIT_OK, EXIT_ERROR],
  run: showStats,
}

const load: CommandSpec = {
  name: 'load',
  argument: { form: '<partitions>', help: 'a partition or a glob of them; with --csv the series' },
  sentence: 'Copies verified months of the lake, or a CSV of the archive, into the hot rows.',
  example: "candlelake hot load 'spot-klines/BTCUSDT/1m/2024-0?'",
  flags: [{ flag: '--csv <file>', help: 'klines of the archive, into dataset/symbol/interval; - for stdin' }],
  exits: [EXIT_OK, EXIT_ERROR, EXIT_INTERRUPTED],
  works: true,
  run: runLoad,
}

const prune: CommandSpec = {
  name: 'prune',
  sentence: 'Lets hot rows older than HOT_DAYS go that a verified month holds, compared value by value.',
  example: 'candlelake hot prune --dry-run',
  flags: [DRY_RUN],
  exits: [[0, 'done; what is late stays'], EXIT_ERROR, [2, 'some differ from their month, or it cannot be read'], EXIT_INTERRUPTED],
  works: true,
  run: runPrune,
}

const reports: CommandSpec = {
  name: 'reports',
  argument: { form: '[partitions]', help: 'a partition or a glob of them (default: all)' },
  sentence: 'Shows what comparisons of hot rows with their verified months found, the newest first.',
  example: "candlelake hot reports 'spot-klines/BTCUSDT/1m/2024-0?'",
  flags: [],
  exits: [EXIT_OK, EXIT_ERROR],
  run: showReports,
}

export const hot: CommandGroup = {
  name: 'hot',
  sentence: 'Shows, fills and empties the recent rows in Postgres.',
  commands: [stats, load, prune, reports],
}

async function showStats(context: Context): Promise<number> {
  const { out } = context
  const { renderHotStats } = await import('../render/hot.js')
  const { groups, days, bytes } = await (await (await context.openApp()).hot()).stats()
  const items = groups.map(({ firstUs, lastUs, ...group }) =>
    ({ ...group, first: isoOfUs(firstUs), last: isoOfUs(lastUs) }))
  if (out.json) out.resultJson({ v: 1, type: 'hot', items, days: days.length, bytes })
  else out.result(...renderHotStats({ groups, days, bytes }))
  return 0
}

async function showReports(context: Context, _flags: FlagValues, text = '*'): Promise<number> {
  const glob = at('the partitions', () => parsePartitionGlob(text))
  const { out } = context
  const app = await context.openApp()
  const { reportJson, renderReports } = await import('../render/migrate.js')
  const found = (await app.hotReports(filterOf(glob))).filter(({ partition }) => matchesPartition(glob, partition))
  if (out.json) out.resultJson({ v: 1, type: 'reports', items: found.map(reportJson) })
  else out.result(...renderReports(found))
  return 0
}

async function runLoad(context: Context, flags: FlagValues, text = ''): Promise<number> {
  const { out, interrupts } = context
  const { signal } = interrupts
  const { formatSeconds, plural } = await import('../render/format.js')
  const startedMs = Date.now()
  const seen = { rows: 0, stored: 0 }
  const add = (name: string, { rows, stored }: Loaded): void => {
    seen.rows += rows
    seen.stored += stored
    if (out.json && !out.quiet) out.resultJson({ v: 1, type: 'loaded', partition: name, rows, stored })
    else if (out.verbose) out.note(`${name}  ${plural(rows, 'row')}`)
  }
  const app = await context.openApp()
  const file = textFlag(flags, 'csv')
  if (file !== undefined) {
    const series = seriesNamed(text)
    add(seriesKeyOf(series), await app.loadHotCsv({ series, file, signal }))
  } else {
    const glob = at('the partitions', () => parsePartitionGlob(text))
    const filter = await filterMatching(await app.keeper(), glob)
    const months = filter === null ? [] : app.loadHot({ filter, signal })
    for await (const one of months) add(partitionKeyOf(one.partition), one)
  }
  const seconds = (Date.now() - startedMs) / 1_000
  const unstored = seen.rows === seen.stored ? '' : `, stored ${plural(seen.stored, 'row')}: the rest is better known`
  if (out.json) out.resultJson({ v: 1, type: 'summary', ...seen, seconds })
  else if (seen.rows === 0) out.result(file ? 'The file has no rows.' : 'Nothing that is verified matches.')
  else out.result(`Loaded ${plural(seen.rows, 'row')} in ${formatSeconds(seconds)}${unstored}.`)
  return interrupts.ending?.code ?? 0
}

/** @throws {BAD_PARTITION} */
function seriesNamed(text: string): Series {
  if (text.split('/').length !== 4) return at('the series', () => parseSeriesKey(text))
  const { dataset, symbol, interval } = at('the series', () => parsePartitionKey(text))
  throw new PipelineError('BAD_PARTITION', 'a CSV is of a series, whatever months it has', {
    at: 'the series', do: `use ${seriesKeyOf({ dataset, symbol, interval })}`,
  })
}

async function runPrune(context: Context, flags: FlagValues): Promise<number> {
  const { out, interrupts } = context
  const { signal } = interrupts
  const { renderPruned, keptInWords } = await import('../render/hot.js')
  const { renderFinding } = await import('../render/findings.js')
  const dryRun = flags['dryRun'] === true
  const app = await context.openApp()
  const days: PrunedDay[] = []
  for await (const day of app.pruneHot({ dryRun, signal })) {
    // Shown below and not kept: where every row of every series differs, they are millions.
    days.push({ ...day, kept: day.kept.map((one) => ({ ...one, differences: [] })) })
    if (out.json && !out.quiet) out.resultJson({ v: 1, type: 'day', ...day, kept: day.kept.map(withInstants) })
    for (const kept of out.json ? [] : day.kept) {
      const [partition, text, bad] = [seriesKeyOf(kept.series), keptInWords(day.day, kept), isBad(kept)]
      out.result(renderFinding({ partition, text, bad, width: out.width, paint: out.paint.out }))
    }
  }
  const bad = days.some(({ kept }) => kept.some(isBad))
  const rows = days.reduce((sum, day) => sum + day.rows, 0)
  if (out.json) out.resultJson({ v: 1, type: 'summary', dryRun, days: days.filter((day) => day.rows > 0).length, rows })
  else out.result(renderPruned(days, dryRun))
  return interrupts.ending?.code ?? (bad ? 2 : 0)
}

const isBad = ({ why }: PrunedDay['kept'][number]): boolean => why === 'differs' || why === 'unreadable'

const withInstants = ({ differences, ...kept }: PrunedDay['kept'][number]) => ({
  ...kept, differences: differences.map(({ openTimeUs, ...one }) => ({ openTime: isoOfUs(openTimeUs), ...one })),
})
