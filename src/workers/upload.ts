import { PipelineError } from '../domain/errors.js'
import { incomingKeyOf, stagingFolderOf } from '../domain/names.js'
import { partitionKeyOf } from '../domain/partition.js'
import type { Claim } from '../domain/ports/stage-catalog.js'
import type { Ports, StageResult } from './stage.js'

/** Staged Parquet to an `_incoming` object of the lake: never the published name, and never another execution's. */
export async function upload(c: Claim, ports: Ports): Promise<StageResult> {
  const { converted } = c.work
  if (!converted) {
    throw new PipelineError('STAGING_LOST', 'the catalog names no converted file', { at: partitionKeyOf(c.partition) })
  }
  const folder = stagingFolderOf(c.partition, c.generation, c.token)
  const path = await ports.staging.open(converted.file, await ports.staging.scratch(folder))
  const key = incomingKeyOf(c.partition, c.generation, c.token)
  const { sha256Hex } = converted.file
  const { etag, bytes } = await ports.lake.put({ key, path, sha256Hex }).catch((thrown: unknown) => {
    throw asStagingLost(thrown, c)
  })
  await ports.staging.clear(folder)
  ports.pass('upload.put', partitionKeyOf(c.partition))
  const uploaded = { key, etag, bytes, sha256Hex }
  const { rows } = converted.figures
  return { kind: 'advance', advance: { stage: 'upload', uploaded }, bytesIn: bytes, bytesOut: bytes, rows }
}

/** Other bytes than convert staged, after a power cut perhaps: they are made again, as if they were gone. */
function asStagingLost(thrown: unknown, c: Claim): unknown {
  if (!(thrown instanceof PipelineError) || thrown.code !== 'OBJECT_CORRUPT') return thrown
  return new PipelineError('STAGING_LOST', 'the staged file has other bytes', { at: partitionKeyOf(c.partition) }, thrown)
}
