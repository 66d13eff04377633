import { clip } from './dataset.js'
import { PipelineError } from './errors.js'
import { parsePartitionKey, type Partition } from './partition.js'

/** A key in an object store: segments joined by `/`, no leading slash, no `.` or `..` segment. */
export type ObjectKey = string

const DATA = 'data.parquet'
const CERTIFICATE = 'certificate.json'
export const INCOMING = '_incoming'
export const REVISIONS = '_revisions'
/** Says in a lake, and in a staging, which catalog it is of. */
export const MARKER: ObjectKey = '_catalog.json'

/** `spot-klines/btcusdt/1h/2024-01`: the folder of a partition, in the lake and in staging alike. */
export const folderOf = (p: Partition): string => `${p.dataset}/${p.symbol.toLowerCase()}/${p.interval}/${p.month}`

/** The published data object of a partition. */
export const objectKeyOf = (p: Partition): ObjectKey => `${folderOf(p)}/${DATA}`

/** The certificate beside the published data. */
export const certificateKeyOf = (p: Partition): ObjectKey => `${folderOf(p)}/${CERTIFICATE}`

/** Where one execution of upload leaves its object: never the published name, and never another execution's. */
export const incomingKeyOf = (p: Partition, generation: number, token: string): ObjectKey =>
  `${INCOMING}/${folderOf(p)}/g${generation}-${token}.parquet`

/** What every kept revision of a partition begins with. */
export const revisionsPrefixOf = (p: Partition): string => `${REVISIONS}/${folderOf(p)}/`

/** Where a replaced revision is kept. */
export const revisionKeyOf = (p: Partition, revision: string): ObjectKey =>
  `${revisionsPrefixOf(p)}${revision.slice(0, 16)}.parquet`

/** What a key of the lake names. */
export type LakeName =
  | { readonly kind: 'data' | 'certificate'; readonly partition: Partition }
  | { readonly kind: 'incoming'; readonly partition: Partition; readonly generation: number; readonly token: string }
  | { readonly kind: 'revision'; readonly partition: Partition; readonly revision: string }
  | { readonly kind: 'marker' }

/** The inverse of the functions and the name above; null for a key that is none of them. */
export function parseLakeKey(key: ObjectKey): LakeName | null {
  if (key === MARKER) return { kind: 'marker' }
  const segments = key.split('/')
  const area = segments[0] === INCOMING || segments[0] === REVISIONS ? segments.shift() : null
  const name = segments.pop()
  const partition = partitionOfFolder(segments.join('/'))
  if (!partition || name === undefined) return null
  if (area === INCOMING) {
    const m = /^g(\d+)-([0-9a-z]+)\.parquet$/.exec(name)
    return m ? { kind: 'incoming', partition, generation: Number(m[1]), token: m[2] ?? '' } : null
  }
  if (area === REVISIONS) {
    const m = /^([0-9a-f]{16})\.parquet$/.exec(name)
    return m ? { kind: 'revision', partition, revision: m[1] ?? '' } : null
  }
  if (name === DATA) return { kind: 'data', partition }
  return name === CERTIFICATE ? { kind: 'certificate', partition } : null
}

/** The partition that a published data key names. @throws {BAD_PARTITION} */
export function partitionOfKey(key: ObjectKey): Partition {
  const name = parseLakeKey(key)
  if (name?.kind === 'data') return name.partition
  throw new PipelineError('BAD_PARTITION', `"${clip(key)}" is not the data key of a partition`, { at: clip(key) })
}

/** The folder in staging that one execution of a stage writes to: its files are nobody else's. */
export const stagingFolderOf = (p: Partition, generation: number, token: string): string =>
  `${folderOf(p)}/g${generation}-${token}`

/** The inverse of `stagingFolderOf` for any key below such a folder; null for a foreign key. */
export function parseStagingKey(key: string): { partition: Partition; generation: number; token: string } | null {
  const segments = key.split('/')
  const m = /^g(\d+)-([0-9a-z]+)$/.exec(segments[4] ?? '')
  const partition = partitionOfFolder(segments.slice(0, 4).join('/'))
  return m && partition ? { partition, generation: Number(m[1]), token: m[2] ?? '' } : null
}

function partitionOfFolder(folder: string): Partition | null {
  try {
    const partition = parsePartitionKey(folder)
    return folderOf(partition) === folder ? partition : null
  } catch (thrown) {
    if (thrown instanceof PipelineError) return null
    throw thrown
  }
}
