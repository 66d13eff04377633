import { createHash } from 'node:crypto'
import { monthlyKeyOf, parseArchiveKey, type ArchiveKey } from './archive-names.js'
import { clip } from './dataset.js'
import { PipelineError } from './errors.js'
import type { Partition } from './partition.js'
import type { DayContents } from './ports/hot-store.js'

/** Before the key that the archive's month would have. */
const HOT = 'hot/'

/** The key of a source that is made of hot rows, where the archive's month is late. */
export const hotKeyOf = (p: Partition): ArchiveKey => `${HOT}${monthlyKeyOf(p)}`

export const isHotKey = (key: ArchiveKey): boolean => key.startsWith(HOT)

/** The inverse of `hotKeyOf`. @throws {BAD_PARTITION} */
export function partitionOfHotKey(key: ArchiveKey): Partition {
  const file = isHotKey(key) ? parseArchiveKey(key.slice(HOT.length)) : null
  if (file?.period === 'monthly') return { ...file.series, month: file.month }
  throw new PipelineError('BAD_PARTITION', `"${clip(key)}" is not the key of hot rows`, { at: clip(key) })
}

/** Names the rows of a month that are hot: changes when any of them does. */
export function hotEtagOf(days: readonly DayContents[]): string {
  const hash = createHash('sha256')
  for (const { day, rows, digest } of days) hash.update(`${day} ${rows} ${digest}\n`)
  return hash.digest('hex').slice(0, 32)
}
