import { monthlyKeyOf } from '../domain/archive-names.js'
import { PipelineError } from '../domain/errors.js'
import { stagingFolderOf } from '../domain/names.js'
import { monthRange, US_PER_MS } from '../domain/month.js'
import { partitionKeyOf, type Partition } from '../domain/partition.js'
import type { StagedFile } from '../domain/ports/staging.js'
import type { Source, WantedSource } from '../domain/source.js'
import type { Claim } from '../domain/ports/stage-catalog.js'
import type { Ports, StageResult } from './stage.js'

const DAY_MS = 86_400_000

/** Sources to staged files: every source of the list is streamed, hashed and made durable, in order. */
export async function download(c: Claim, ports: Ports, signal: AbortSignal): Promise<StageResult> {
  const wanted = c.work.wanted.length > 0 ? c.work.wanted : [synthesised(c.partition)]
  await admit(wanted, ports)
  const folder = stagingFolderOf(c.partition, c.generation, c.token)
  try {
    const { sources, files } = await fetchAll(c, wanted, folder, ports, signal)
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
    ports.pass('download.staged', partitionKeyOf(c.partition))
    const downloaded = { folder, sources, files }
    return { kind: 'advance', advance: { stage: 'download', downloaded }, bytesIn: bytes, bytesOut: bytes, rows: 0 }
  } catch (thrown) {
    if (!(thrown instanceof PipelineError) || thrown.code !== 'ARCHIVE_ABSENT') throw thrown
    return { ...missing(c.partition, thrown, ports), bytesIn: 0, bytesOut: 0, rows: 0 }
  }
}

/** A month that nothing listed: the name that the archive gives it, of which nothing else is known. */
const synthesised = (p: Partition): WantedSource => ({ key: monthlyKeyOf(p), bytes: null, etag: null, lastModified: null })

async function fetchAll(
  c: Claim, wanted: readonly WantedSource[], folder: string, ports: Ports, signal: AbortSignal,
): Promise<{ sources: Source[]; files: StagedFile[] }> {
  const scratch = await ports.staging.scratch(folder)
  const sources: Source[] = []
  const files: StagedFile[] = []
  for (const [i, one] of wanted.entries()) {
    const onBytes = (count: number): void => ports.observe({ type: 'bytes', stage: 'download', count })
    const fetched = await ports.archive.fetch({ wanted: one, path: `${scratch}/${i}.part`, signal, onBytes })
    ports.pass('download.fetched', partitionKeyOf(c.partition))
    const { sha256Hex } = fetched.source
    sources.push(fetched.source)
    files.push(await ports.staging.keep({ key: `${folder}/source-${i}.zip`, path: fetched.path, sha256Hex }))
  }
  return { sources, files }
}

/**
 * Backpressure: waits (as a delayed job) while staging is full, but one download is always let in when nothing is staged,
 * or a file above the cap would wait for ever. Free disk is asked first: three times the ZIP, for ZIP, CSV and Parquet.
 */
async function admit(wanted: readonly WantedSource[], ports: Ports): Promise<void> {
  const bytes = wanted.reduce((sum, one) => sum + (one.bytes ?? 0), 0)
  const free = await ports.staging.freeBytes()
  if (free !== null && free < 3 * bytes) {
    throw new PipelineError('DISK_FULL', `needs ${3 * bytes} bytes, has ${free}`, { do: 'free space for staging', free })
  }
  const staged = await ports.catalog.stagedBytes()
  if (staged > 0 && staged + bytes > ports.settings.stagingMaxBytes) {
    throw new PipelineError('STAGING_FULL', `${staged} bytes are staged`, { do: 'wait, or raise STAGING_MAX_BYTES', staged })
  }
}

/** A 404: `late` while the archive may still publish the month, `absent` afterwards. */
function missing(p: Partition, error: PipelineError, ports: Ports): Pick<StageResult & { kind: 'end' }, 'kind' | 'ended'> {
  const endMs = Number(monthRange(p.month).toUs / US_PER_MS)
  const late = ports.now().getTime() <= endMs + ports.settings.lateDays * DAY_MS
  const { code, message, facts } = error
  return { kind: 'end', ended: { state: late ? 'late' : 'absent', code, message, facts } }
}
