import { PipelineError } from '../domain/errors.js'
import { stagingFolderOf } from '../domain/names.js'
import { partitionKeyOf } from '../domain/partition.js'
import { revisionOf } from '../domain/source.js'
import type { Claim } from '../domain/ports/stage-catalog.js'
import type { Downloaded } from '../domain/work.js'
import type { Ports, StageResult } from './stage.js'

/** Staged ZIPs to one staged Parquet file and its figures, in a child process of the engine. */
export async function convert(c: Claim, ports: Ports, signal: AbortSignal): Promise<StageResult> {
  const downloaded = downloadedOf(c)
  const folder = stagingFolderOf(c.partition, c.generation, c.token)
  const scratch = await ports.staging.scratch(folder)
  const sources = await Promise.all(
    downloaded.sources.map(async (source, i) => {
      const file = downloaded.files[i]
      if (!file) throw new PipelineError('STAGING_LOST', 'a source has no staged file', { source: source.key })
      return { source, path: await ports.staging.open(file, scratch) }
    }),
  )
  const revision = revisionOf(downloaded.sources, ports.settings.parquet.numericType)
  const outPath = `${scratch}/data.parquet`
  const { parquet } = ports.settings
  const figures = await ports.engine.convert({ partition: c.partition, sources, outPath, scratch, revision, parquet }, signal)
  ports.pass('convert.written', partitionKeyOf(c.partition))
  const { sha256Hex } = figures
  const file = await ports.staging.keep({ key: `${folder}/data.parquet`, path: outPath, sha256Hex })
  ports.pass('convert.staged', partitionKeyOf(c.partition))
  const bytesIn = downloaded.files.reduce((sum, one) => sum + one.bytes, 0)
  const converted = { folder, file, revision, figures }
  return { kind: 'advance', advance: { stage: 'convert', converted }, bytesIn, bytesOut: file.bytes, rows: figures.rows }
}

function downloadedOf(c: Claim): Downloaded {
  const { downloaded } = c.work
  if (downloaded) return downloaded
  throw new PipelineError('STAGING_LOST', 'the catalog names no staged sources', { at: partitionKeyOf(c.partition) })
}
