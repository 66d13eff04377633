import { createHash, randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { diskFull } from '../../domain/disk-full.js'
import { PipelineError } from '../../domain/errors.js'
import type { ObjectKey } from '../../domain/names.js'

/** An object whose bytes were spoilt on their way is fetched again; one that is spoilt in the store stays so. */
const FETCHES = 3

const SMALL_BYTES = 1_048_576

/** The bytes of an object as they come, checked, and how many there will be. */
export type Opened = { readonly body: Readable; readonly bytes: number }

/** An object as a local file in `scratch`, whole and with the right digest; `open` gives its bytes, checked. */
export async function download(o: { key: ObjectKey; scratch: string; open: () => Promise<Opened> }): Promise<string> {
  const path = join(o.scratch, localNameOf(o.key))
  const part = `${path}.${randomUUID()}.part`
  try {
    for (let fetch = 1; ; fetch++) {
      try {
        const { body, bytes } = await o.open()
        // A stream to the disk takes a thread's turn for each of its steps; a small file takes one.
        if (bytes <= SMALL_BYTES) await writeFile(part, await all(body))
        else await pipeline(body, createWriteStream(part))
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

async function all(body: Readable): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of body) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

/** Names of one scratch folder may come from several folders of the store. */
const localNameOf = (key: ObjectKey): string =>
  `${createHash('sha256').update(key).digest('hex').slice(0, 16)}-${basename(key)}`

function localFailure(thrown: unknown, at: string): unknown {
  if (thrown instanceof PipelineError) return thrown
  if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') {
    return new PipelineError('STAGING_LOST', 'the scratch folder is gone', { at }, thrown)
  }
  return diskFull(thrown, at) ?? thrown
}
