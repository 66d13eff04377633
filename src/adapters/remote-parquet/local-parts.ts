import { open } from 'node:fs/promises'
import { remedyOf } from '../../domain/disk-failure.js'
import { errnoOf } from '../../domain/errno.js'
import { PipelineError } from '../../domain/errors.js'
import type { ObjectKey } from '../../domain/names.js'
import { planRanges } from '../../domain/plan-ranges.js'
import type { ParquetFooter } from '../../domain/parquet-footer.js'
import type { ObjectParts } from '../../domain/ports/object-parts.js'
import { footerBytes, readFooter } from './read-footer.js'

/** Most footers of candle files are shorter. */
const TAIL_BYTES = 8 * 1024
/** A footer takes some kilobytes of memory; reading one takes about a millisecond. */
const KEPT = 2_000

/**
 * Objects that lie in a folder: the file itself is the part. `bytesRead` is what a reader of the wanted part takes, by
 * the footer; nothing travels, so there are no requests.
 */
export function localParts(pathOf: (key: ObjectKey) => string): ObjectParts {
  const kept = new Map<string, ParquetFooter>()
  const footerAt = async (key: ObjectKey, etag: string): Promise<{ footer: ParquetFooter; bytesRead: number }> => {
    const id = `${key} ${etag}`
    const before = kept.get(id)
    if (before) return { footer: before, bytesRead: 0 }
    const read = await readLocalFooter(pathOf(key), key)
    if (kept.size >= KEPT) kept.delete(kept.keys().next().value ?? '')
    kept.set(id, read.footer)
    return read
  }
  return {
    via: 'local',
    part: async ({ key, etag }, want, signal) => {
      signal.throwIfAborted()
      const { footer, bytesRead } = await footerAt(key, etag)
      const cost = { requests: 0, bytesRead: bytesRead + planRanges(footer, want).bytes, cacheHits: 0 }
      return { path: pathOf(key), footer, cost }
    },
    footer: async ({ key, etag }, signal) => {
      signal.throwIfAborted()
      const { footer, bytesRead } = await footerAt(key, etag)
      return { footer, cost: { requests: 0, bytesRead, cacheHits: 0 } }
    },
  }
}

/**
 * The footer of a file in a folder; `at` is what errors call it.
 * @throws {OBJECT_ABSENT, OBJECT_CORRUPT, STORE_DENIED, STORE_UNREACHABLE}
 */
export async function readLocalFooter(
  path: string,
  at: string,
): Promise<{ footer: ParquetFooter; bytesRead: number }> {
  const handle = await open(path).catch((thrown: unknown) => {
    throw openFailure(thrown, at)
  })
  try {
    const found = await handle.stat()
    if (!found.isFile()) throw new PipelineError('OBJECT_ABSENT', 'this is a folder', { at })
    const { size } = found
    if (size === 0) throw new PipelineError('OBJECT_CORRUPT', 'it is empty', { at })
    const last = async (bytes: number): Promise<Buffer> => {
      const buffer = Buffer.alloc(Math.min(bytes, size))
      return buffer.subarray(0, (await handle.read(buffer, 0, buffer.length, size - buffer.length)).bytesRead)
    }
    const tail = await last(TAIL_BYTES)
    const length = footerBytes(tail, size, at)
    const whole = length <= tail.length ? tail.subarray(tail.length - length) : await last(length)
    return { footer: await readFooter(whole, size, at), bytesRead: Math.max(length, tail.length) }
  } finally {
    await handle.close()
  }
}

/** Only what is not there is absent: what may not or cannot be opened is there all the same. */
function openFailure(thrown: unknown, at: string): PipelineError {
  const errno = errnoOf(thrown) ?? 'unknown'
  if (errno === 'ENOENT' || errno === 'ENOTDIR') {
    return new PipelineError('OBJECT_ABSENT', 'there is no such object', { at }, thrown)
  }
  if (errno === 'EACCES' || errno === 'EPERM') {
    const facts = { at, errno, do: 'give this user the right to read it' }
    return new PipelineError('STORE_DENIED', 'this user may not read it', facts, thrown)
  }
  const facts = { at, errno, do: remedyOf(errno) }
  return new PipelineError('STORE_UNREACHABLE', `it cannot be opened (${errno})`, facts, thrown)
}
