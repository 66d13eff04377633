import { parsePartitionGlob } from '../../domain/partition-glob.js'
import type { StoredCheck } from '../../workers/verify-stored.js'
import { EXIT_ERROR, EXIT_INTERRUPTED, type CommandSpec, type Context, type FlagValues } from '../command.js'
import { filterMatching } from '../matching.js'
import { at } from '../request-flags.js'

export const verify: CommandSpec = {
  name: 'verify',
  argument: { form: '[partitions]', help: 'a partition or a glob of them (default: all)' },
  sentence: 'Reads what is stored again and reports where it is not what the catalog and its certificate say.',
  example: "candlelake verify 'spot-klines/BTCUSDT/*/2024-0?'",
  flags: [],
  exits: [[0, 'all as recorded'], EXIT_ERROR, [2, 'some are not'], EXIT_INTERRUPTED],
  run,
}

async function run(context: Context, _flags: FlagValues, text = '*'): Promise<number> {
  const { out, interrupts } = context
  const glob = at('the partitions', () => parsePartitionGlob(text))
  const app = await context.openApp()
  const filter = await filterMatching(await app.keeper(), glob)
  const startedMs = Date.now()
  const seen = { partitions: 0, rows: 0, drifted: 0 }
  if (filter !== null) {
    for await (const check of app.verifyStored({ filter, signal: interrupts.signal })) {
      seen.partitions++
      seen.rows += check.rows
      if (check.drift !== null) seen.drifted++
      await say(context, check)
    }
  }
  const seconds = (Date.now() - startedMs) / 1_000
  if (out.json) out.resultJson({ v: 1, type: 'summary', ...seen, seconds })
  else out.result(await sentence(seen, seconds))
  return seen.drifted > 0 ? 2 : 0
}

async function say({ out }: Context, check: StoredCheck): Promise<void> {
  if (check.drift === null && !out.json) return
  if (out.json) {
    if (!out.quiet) out.resultJson({ v: 1, type: 'check', ...check })
    return
  }
  const { renderFinding } = await import('../render/findings.js')
  const drift = check.drift ?? ''
  out.result(
    renderFinding({ partition: check.partition, text: drift, bad: true, width: out.width, paint: out.paint.out }),
  )
}

async function sentence(seen: { partitions: number; rows: number; drifted: number }, seconds: number): Promise<string> {
  const { formatCount, formatSeconds, plural } = await import('../render/format.js')
  if (seen.partitions === 0) return 'Nothing that is stored matches.'
  const [partitions, rows] = [plural(seen.partitions, 'stored partition'), plural(seen.rows, 'row')]
  const checked = `Verified ${partitions}, ${rows}, in ${formatSeconds(seconds)}`
  return seen.drifted === 0
    ? `${checked}: all as recorded.`
    : `${checked}: ${formatCount(seen.drifted)} not as recorded. Redo with: candlelake backfill --force`
}
