import { PipelineError } from '../../domain/errors.js'
import { clip } from '../../domain/dataset.js'
import type { Foreign, Garbage } from '../../workers/garbage.js'
import type { GarbageReport } from '../../workers/gc.js'
import {
  DRY_RUN, EXIT_ERROR, EXIT_INTERRUPTED, EXIT_OK, textFlag, YES, type CommandSpec, type Context, type FlagValues,
} from '../command.js'

export const gc: CommandSpec = {
  name: 'gc',
  sentence: 'Deletes what nothing needs: orphaned staging, objects that the catalog does not name, unfinished writes.',
  example: 'candlelake gc --dry-run',
  flags: [
    DRY_RUN, YES,
    { flag: '--older-than <time>', help: 'leave alone what changed since: 10m, 6h, 7d; at least 1m', fallback: '1h' },
  ],
  exits: [EXIT_OK, EXIT_ERROR, EXIT_INTERRUPTED],
  works: true,
  run,
}

async function run(context: Context, flags: FlagValues): Promise<number> {
  const { out, interrupts } = context
  const { renderGarbage, heapOf } = await import('../render/garbage.js')
  const { formatBytes, plural } = await import('../render/format.js')
  const olderThanMs = ageOf(textFlag(flags, 'olderThan') ?? '1h')
  const app = await context.openApp()
  const { signal } = interrupts
  const onFound = (one: Garbage | Foreign): void => out.verbose ? out.note(`${one.kind} ${one.key}`) : undefined
  const found = await app.garbage({ olderThanMs, signal, remove: false, onFound })
  const { objects, bytes } = heapOf(found)
  if (flags['dryRun'] === true) return report(context, found, true, renderGarbage)
  // Unfinished writes cannot be counted beforehand: they go without a question, as reconcile removes them all the time.
  if (objects > 0 && flags['yes'] !== true) {
    const { confirmed } = await import('../confirm.js')
    if (!out.json) out.note(...renderGarbage(found, true).slice(0, -1))
    if (!(await confirmed(`Delete ${plural(objects, 'object')}, ${formatBytes(bytes)}?`, signal))) {
      out.note('Nothing was deleted.')
      return interrupts.ending?.code ?? 1
    }
  }
  const removed = await app.garbage({ olderThanMs, signal, remove: true })
  return report(context, removed, false, renderGarbage)
}

function report(
  { out, interrupts }: Context, found: GarbageReport, dryRun: boolean,
  render: (found: GarbageReport, dryRun: boolean) => readonly string[],
): number {
  const items = Object.entries(found.kinds).map(([kind, heap]) => ({ kind, ...heap }))
  const { unfinished, foreign } = found
  if (out.json) out.resultJson({ v: 1, type: 'gc', dryRun, items, unfinished, foreign })
  else out.result(...render(found, dryRun))
  return interrupts.ending?.code ?? 0
}

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const LEAST_MS = UNITS.m

/** Milliseconds. What is younger than a minute may be a write under way. @throws {BAD_USAGE} */
function ageOf(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const ms = Number(count) * UNITS[unit as keyof typeof UNITS]
  if (ms >= LEAST_MS) return ms
  throw new PipelineError('BAD_USAGE', `"${clip(text)}" is not a time of a minute or more`, {
    at: '--older-than', do: 'use 10m, 6h or 7d',
  })
}
