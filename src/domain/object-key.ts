import { clip } from './dataset.js'
import { PipelineError } from './errors.js'
import type { ObjectKey } from './names.js'

const MAX_KEY_BYTES = 1_024
const MAX_SEGMENT_BYTES = 255

/**
 * The key itself, if every store can hold it: segments of 1 to 255 bytes, none of them `.` or `..`, 1024 bytes in all,
 * no control character and no backslash.
 * @throws {BAD_PARTITION}
 */
export function checkObjectKey(key: string): ObjectKey {
  const problem = problemOf(key)
  if (problem === null) return key
  throw new PipelineError('BAD_PARTITION', `"${clip(key)}" is not an object key: ${problem}`, { at: clip(key) })
}

/** Like `checkObjectKey` for the beginning of a key: its last segment may be empty. @throws {BAD_PARTITION} */
export function checkKeyPrefix(prefix: string): string {
  if (prefix !== '') checkObjectKey(prefix.endsWith('/') ? `${prefix}x` : prefix)
  return prefix
}

function problemOf(key: string): string | null {
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return `it is longer than ${MAX_KEY_BYTES} bytes`
  if (/[\x00-\x1f\x7f\\]/.test(key)) return 'it holds a control character or a backslash'
  for (const segment of key.split('/')) {
    if (segment === '') return 'it has an empty segment'
    if (segment === '.' || segment === '..') return 'it has a "." or ".." segment'
    if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) return `a segment is longer than ${MAX_SEGMENT_BYTES} bytes`
  }
  return null
}
