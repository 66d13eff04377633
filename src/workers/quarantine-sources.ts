import { fileNameOf } from '../domain/archive-names.js'
import { asPipelineError } from '../domain/errors.js'
import { folderOf, stagingFolderOf } from '../domain/names.js'
import { partitionKeyOf } from '../domain/partition.js'
import type { Claim } from '../domain/ports/stage-catalog.js'
import type { Ports } from './stage.js'

/**
 * Keeps the sources of a partition that is being quarantined, where a person can look at them. Gives their place, or null
 * when there are none, the cap is reached or they are gone: the verdict stands all the same.
 */
export async function quarantineSources(c: Claim, ports: Ports): Promise<string | null> {
  const { downloaded } = c.work
  if (!downloaded) return null
  try {
    const scratch = await ports.staging.scratch(stagingFolderOf(c.partition, c.generation, c.token))
    const files = await Promise.all(
      downloaded.files.map(async (file, i) => ({
        name: `${i}-${fileNameOf(downloaded.sources[i]?.key ?? file.key)}`,
        path: await ports.staging.open(file, scratch),
      })),
    )
    const { path } = await ports.quarantine.keep({ folder: `${folderOf(c.partition)}/g${c.generation}`, files })
    return path
  } catch (thrown) {
    const { code, message } = asPipelineError(thrown)
    ports.log.warn('quarantine.not_kept', { partition: partitionKeyOf(c.partition), code, message })
    return null
  }
}

/** Removes what was kept of a partition that is in the lake now: no list names it any more. Call it after the commit. */
export async function forgetQuarantined(c: Claim, ports: Ports): Promise<void> {
  try {
    await ports.quarantine.remove(folderOf(c.partition))
  } catch (thrown) {
    const { code, message } = asPipelineError(thrown)
    ports.log.warn('quarantine.not_removed', { partition: partitionKeyOf(c.partition), code, message })
  }
}
