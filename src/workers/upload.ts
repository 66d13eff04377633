import { PipelineError } from '../domain/errors.js'
import { incomingKeyOf, stagingFolderOf, type ObjectKey } from '../domain/names.js'
import { partitionKeyOf } from '../domain/partition.js'
import type { WrittenObject } from '../domain/ports/object-store.js'
import type { Claim } from '../domain/ports/stage-catalog.js'
import type { StagedFile } from '../domain/ports/staging.js'
import type { Ports, StageResult } from './stage.js'

/** Staged Parquet to an `_incoming` object of the lake: never the published name, and never another execution's. */
export async function upload(c: Claim, ports: Ports): Promise<StageResult> {
  const { converted } = c.work
  if (!converted) {
    throw new PipelineError('STAGING_LOST', 'the catalog names no converted file', { at: partitionKeyOf(c.partition) })
  }
  const folder = stagingFolderOf(c.partition, c.generation, c.token)
  const key = incomingKeyOf(c.partition, c.generation, c.token)
  const { sha256Hex } = converted.file
  const { etag, bytes } = await carry(converted.file, key, folder, ports).catch((thrown: unknown) => {
    throw asStagingLost(thrown, c)
  })
  await ports.staging.clear(folder)
  ports.pass('upload.put', partitionKeyOf(c.partition))
  const uploaded = { key, etag, bytes, sha256Hex }
  const { rows } = converted.figures
  return { kind: 'advance', advance: { stage: 'upload', uploaded }, bytesIn: bytes, bytesOut: bytes, rows }
}

/** From bucket to bucket the store copies by itself; else the file goes through here. */
async function carry(file: StagedFile, to: ObjectKey, folder: string, ports: Ports): Promise<WrittenObject> {
  const { staging, lake } = ports
  const place = staging.placeOf?.(file)
  const copied = place && (await lake.import?.({ place, to, ...file }))
  if (copied) return copied
  const path = await staging.open(file, await staging.scratch(folder))
  return await lake.put({ key: to, path, sha256Hex: file.sha256Hex })
}

/** Other bytes than convert staged, after a power cut perhaps: they are made again, as if they were gone. */
function asStagingLost(thrown: unknown, c: Claim): unknown {
  if (!(thrown instanceof PipelineError)) return thrown
  if (thrown.code !== 'OBJECT_CORRUPT' && thrown.code !== 'OBJECT_ABSENT') return thrown
  return new PipelineError('STAGING_LOST', 'the staged file is gone, or has other bytes', { at: partitionKeyOf(c.partition) }, thrown)
}
