import { createHash, randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { diskFull } from '../../domain/disk-full.js'
import { errnoOf } from '../../domain/errno.js'
import { PipelineError } from '../../domain/errors.js'
import type { ObjectKey } from '../../domain/names.js'

/** An object whose bytes were spoilt on their way is fetched again; one that is spoilt in the store stays so. */
const FETCHES = 3

/** An object as a local file in `scratch`, whole and with the right digest; `open` gives its bytes, checked. */
export async function download(o: { key: ObjectKey; scratch: string; open: () => Promise<AsyncIterable<Buffer>> }): Promise<string> {
  const path = join(o.scratch, localNameOf(o.key))
  const part = `${path}.${randomUUID()}.part`
  try {
    for (let fetch = 1; ; fetch++) {
      try {
        await write(part, await o.open())
        await rename(part, path)
        return path
      } catch (thrown) {
        if (fetch === FETCHES || !(thrown instanceof PipelineError) || thrown.code !== 'OBJECT_CORRUPT') throw thrown
      }
    }
  } catch (thrown) {
    throw localFailure(thrown, path)
  } finally {
    await rm(part, { force: true })
  }
}

/** Pieces written together: each write takes a turn of a thread, and there are few of these. */
const BATCH_BYTES = 1_048_576

async function write(path: string, pieces: AsyncIterable<Buffer>): Promise<void> {
  const file = await open(path, 'w')
  try {
    let batch: Buffer[] = []
    let waiting = 0
    for await (const piece of pieces) {
      batch.push(piece)
      waiting += piece.length
      if (waiting < BATCH_BYTES) continue
      await file.writeFile(Buffer.concat(batch))
      ;[batch, waiting] = [[], 0]
    }
    if (waiting > 0) await file.writeFile(Buffer.concat(batch))
  } finally {
    await file.close()
  }
}

/** Names of one scratch folder may come from several folders of the store. */
const localNameOf = (key: ObjectKey): string =>
  `${createHash('sha256').update(key).digest('hex').slice(0, 16)}-${basename(key)}`

function localFailure(thrown: unknown, at: string): unknown {
  if (thrown instanceof PipelineError) return thrown
  if (errnoOf(thrown) === 'ENOENT') {
    return new PipelineError('STAGING_LOST', 'the scratch folder is gone', { at }, thrown)
  }
  return diskFull(thrown, at) ?? thrown
}
