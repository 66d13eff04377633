import type { GarbageKind } from '../../workers/garbage.js'
import type { GarbageReport, Heap } from '../../workers/gc.js'
import { escapeControls } from './escape.js'
import { formatBytes, formatCount, plural } from './format.js'

const WORDS: Readonly<Record<GarbageKind, readonly [one: string, many: string]>> = {
  staging: ['staging folder', 'staging folders'],
  incoming: ['incoming object', 'incoming objects'],
  revision: ['replaced revision', 'replaced revisions'],
  data: ['published object that the catalog does not name', 'published objects that the catalog does not name'],
  certificate: ['certificate of such', 'certificates of such'],
}

const FOREIGN_SHOWN = 5

/** All that is to be deleted, taken together. */
export const heapOf = ({ kinds }: GarbageReport): Heap => Object.values(kinds).reduce(
  (sum, heap) => ({ objects: sum.objects + heap.objects, bytes: sum.bytes + heap.bytes }), { objects: 0, bytes: 0 })

/** A line for each kind of garbage, what is foreign, and what was done about it. */
export function renderGarbage(found: GarbageReport, dryRun: boolean): readonly string[] {
  const { objects, bytes } = heapOf(found)
  const kinds = (Object.entries(found.kinds) as [GarbageKind, Heap][]).filter(([, heap]) => heap.objects > 0)
  const lines = kinds.map(([kind, heap]) =>
    `${formatCount(heap.objects)} ${WORDS[kind][heap.objects === 1 ? 0 : 1]}, ${formatBytes(heap.bytes)}`)
  const unfinished = found.unfinished === null || found.unfinished === 0 ? '' :
    `, and ${plural(found.unfinished, 'unfinished write')}`
  const done = dryRun ? `Would delete ${plural(objects, 'object')}, ${formatBytes(bytes)}. Nothing was changed.`
    : `Deleted ${plural(objects, 'object')}, ${formatBytes(bytes)}${unfinished}.`
  return [...lines, ...foreignLines(found.foreign), done]
}

function foreignLines({ objects, keys }: GarbageReport['foreign']): readonly string[] {
  if (objects === 0) return []
  const more = objects > FOREIGN_SHOWN ? ` and ${formatCount(objects - FOREIGN_SHOWN)} more` : ''
  const shown = keys.slice(0, FOREIGN_SHOWN).map(escapeControls).join(', ')
  return [`${plural(objects, 'object')} not ours, left alone: ${shown}${more}`]
}
