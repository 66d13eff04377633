import { PipelineError } from '../../domain/errors.js'
import { matchesPartition, parsePartitionGlob } from '../../domain/partition-glob.js'
import type { Rebuilt } from '../../workers/rebuild-catalog.js'
import type { App } from '../app.js'
import {
  DRY_RUN, EXIT_ERROR, EXIT_INTERRUPTED, type CommandGroup, type CommandSpec, type Context, type FlagValues,
} from '../command.js'
import { at } from '../request-flags.js'

const rebuild: CommandSpec = {
  name: 'rebuild',
  argument: { form: '[partitions]', help: 'a partition or a glob of them (default: all)' },
  sentence: 'Makes the catalog anew from the lake alone: from every object whose certificate vouches for its bytes.',
  example: 'candlelake catalog rebuild --dry-run',
  flags: [
    DRY_RUN,
    { flag: '--add', help: 'into a catalog that has rows: those that it lacks, or that are older than the lake' },
  ],
  exits: [[0, 'all taken in'], EXIT_ERROR, [2, 'some left out'], EXIT_INTERRUPTED],
  works: true,
  run,
}

export const catalog: CommandGroup = {
  name: 'catalog',
  sentence: 'Makes the catalog anew from the lake.',
  commands: [rebuild],
}

type Seen = { partitions: number; rows: number; added: number; replaced: number; kept: number; leftOut: number }

async function run(context: Context, flags: FlagValues, text = '*'): Promise<number> {
  const { out, interrupts } = context
  const glob = at('the partitions', () => parsePartitionGlob(text))
  const dryRun = flags['dryRun'] === true
  const app = await context.openApp()
  if (flags['add'] !== true) await refuseFilled(app)
  const startedMs = Date.now()
  const seen: Seen = { partitions: 0, rows: 0, added: 0, replaced: 0, kept: 0, leftOut: 0 }
  const matches = matchesPartition.bind(null, glob)
  for await (const one of app.rebuildCatalog({ matches, dryRun, signal: interrupts.signal })) {
    seen.partitions++
    seen.rows += one.outcome === 'left_out' ? 0 : one.rows
    seen[one.outcome === 'left_out' ? 'leftOut' : one.outcome]++
    await say(context, one)
  }
  // A part of it gives a catalog that lacks the rest: nobody is to collect garbage with that.
  const takenFrom = text === '*' ? await app.takeLake({ dryRun }) : null
  const seconds = (Date.now() - startedMs) / 1_000
  if (out.json) out.resultJson({ v: 1, type: 'summary', dryRun, ...seen, takenFrom, seconds })
  else {
    out.result(await sentence(seen, seconds, dryRun))
    const whose = dryRun ? 'would be this one\'s' : 'is this one\'s now; stop workers that still have the other'
    if (takenFrom !== null) out.result(`The lake was of catalog ${takenFrom}, and ${whose}.`)
  }
  return interrupts.ending?.code ?? (seen.leftOut > 0 ? 2 : 0)
}

/** @throws {BAD_USAGE} */
async function refuseFilled(app: App): Promise<void> {
  const states = await (await app.keeper()).states()
  const rows = Object.values(states).reduce((sum, count) => sum + count, 0)
  if (rows === 0) return
  throw new PipelineError('BAD_USAGE', `the catalog is not empty: it has ${rows} partitions`, {
    at: 'candlelake catalog rebuild', rows, do: 'add --add to take in what it lacks; no newer row is overwritten',
  })
}

async function say({ out }: Context, one: Rebuilt): Promise<void> {
  if (out.json) {
    if (!out.quiet) out.resultJson({ v: 1, type: 'rebuilt', ...one })
    return
  }
  if (one.reason === null) return
  const { renderFinding } = await import('../render/findings.js')
  const { partition } = one
  const text = `left out: ${one.reason}`
  out.result(renderFinding({ partition, text, bad: true, width: out.width, paint: out.paint.out }))
}

async function sentence(seen: Seen, seconds: number, dryRun: boolean): Promise<string> {
  const { formatCount, formatSeconds, plural } = await import('../render/format.js')
  const { added, replaced, kept, rows } = seen
  if (seen.partitions === 0) return 'Nothing in the lake matches.'
  const taken = `${plural(added + replaced, 'partition')} of the lake`
  const others = [...(replaced > 0 ? [`${formatCount(replaced)} in place of older rows`] : []),
    ...(kept > 0 ? [`${formatCount(kept)} kept as the catalog has them`] : [])]
  const first = dryRun
    ? `Would take in ${taken}`
    : `Took in ${taken}, ${plural(rows, 'row')}, in ${formatSeconds(seconds)}`
  const last = seen.leftOut > 0 ? ` ${formatCount(seen.leftOut)} left out. Redo with: candlelake backfill` : ''
  return `${[first, ...others].join(', ')}.${last}${dryRun ? ' Nothing was changed.' : ''}`
}
