import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { openArchive } from '../src/adapters/binance/archive-client.js'
import { openEngine } from '../src/adapters/engine/engine-pool.js'
import { openFileObjectStore } from '../src/adapters/file-store/file-object-store.js'
import { httpOptionsOf } from '../src/compose-http.js'
import type { Config } from '../src/config.js'
import { monthlyKeyOf } from '../src/domain/archive-names.js'
import { incomingKeyOf, objectKeyOf } from '../src/domain/names.js'
import type { Partition } from '../src/domain/partition.js'
import type { ParquetOptions } from '../src/domain/ports/engine.js'
import { revisionOf } from '../src/domain/source.js'
import { atMost } from './at-most.js'
import { timed } from './interleave.js'

/**
 * What the pipeline does for a partition without being a pipeline: the same functions of the same adapters, one after
 * the other, the same number of each at once. No queue, no catalog, no lease, no staging that outlives a crash, no
 * certificate. Gives seconds.
 */
export async function runBareLoop(config: Config, partitions: readonly Partition[], home: string): Promise<number> {
  const scratch = join(home, 'scratch')
  await mkdir(scratch, { recursive: true })
  const archive = openArchive({ ...httpOptionsOf(config), archiveUrl: config.archiveUrl, maxBytes: config.archiveMaxFileBytes })
  const lake = await openFileObjectStore({ url: config.lakeUrl, create: true })
  const engine = openEngine({ slots: config.engineSlots, memoryBytes: config.engineMemoryBytes, tempBytes: config.engineTempBytes })
  const parquet: ParquetOptions = {
    numericType: config.numericType, codec: config.parquetCodec, level: config.parquetLevel, dataPages: config.parquetPages,
  }
  const limits = {
    download: atMost(config.downloadConcurrency), convert: atMost(config.convertConcurrency),
    upload: atMost(config.uploadConcurrency), verify: atMost(config.verifyConcurrency),
  }
  const one = async (partition: Partition, index: number): Promise<void> => {
    const { signal } = new AbortController()
    const token = String(index)
    const paths = { zip: join(scratch, `${index}.zip`), parquet: join(scratch, `${index}.parquet`) }
    const wanted = { key: monthlyKeyOf(partition), bytes: null, etag: null, lastModified: null }
    const { source } = await limits.download(() => archive.fetch({ wanted, path: paths.zip, signal }))
    const revision = revisionOf([source], parquet.numericType)
    const sources = [{ path: paths.zip, source }]
    const { sha256Hex } = await limits.convert(() =>
      engine.convert({ partition, sources, outPath: paths.parquet, scratch, revision, parquet }, signal))
    const incoming = incomingKeyOf(partition, 1, token)
    await limits.upload(() => lake.put({ key: incoming, path: paths.parquet, sha256Hex }))
    await limits.verify(async () => {
      const path = await lake.materialise({ key: incoming, scratch })
      const inspected = await engine.inspect({ partition, path, numericType: parquet.numericType }, signal)
      if (inspected.sha256Hex !== sha256Hex) throw new Error('the lake holds other bytes')
      await lake.move({ from: incoming, to: objectKeyOf(partition), condition: { ifNoneMatch: '*' } })
    })
    await Promise.all([rm(paths.zip), rm(paths.parquet)])
  }
  // As many partitions on their way as the stages take together: more would only be open at the same time.
  const inFlight = atMost(
    config.downloadConcurrency + config.convertConcurrency + config.uploadConcurrency + config.verifyConcurrency,
  )
  try {
    return await timed(() => Promise.all(partitions.map((partition, index) => inFlight(() => one(partition, index)))))
  } finally {
    await Promise.all([archive.close(), engine.close()])
  }
}
