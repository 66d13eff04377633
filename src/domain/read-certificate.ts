import { parseArchiveKey, rangeOfFile } from './archive-names.js'
import type { Certificate } from './certificate.js'
import { dataHashOf } from './certify.js'
import { PipelineError } from './errors.js'
import { fromJson } from './json.js'
import { partitionKeyOf, type Partition } from './partition.js'
import { checksumOutcomeOf, type Source } from './source.js'

/** A certificate from its stored text. @throws {OBJECT_CORRUPT} when it is none, another partition's, or was changed */
export function readCertificate(text: string, partition: Partition): Certificate {
  const at = partitionKeyOf(partition)
  const found = parsed(text, at)
  const problem = found?.v !== 1 ? 'it is no certificate of version 1'
    : found.data?.partition !== at ? `it certifies ${String(found.data?.partition)}`
      : found.dataHash !== dataHashOf(found.data) ? 'its hash is not that of what it says'
        : null
  if (problem === null) return found as Certificate
  throw new PipelineError('OBJECT_CORRUPT', `the certificate is not to be trusted: ${problem}`, { at })
}

function parsed(text: string, at: string): Partial<Certificate> | null {
  try {
    return fromJson(text) as Partial<Certificate> | null
  } catch (thrown) {
    throw new PipelineError('OBJECT_CORRUPT', 'the certificate is not JSON', { at }, thrown)
  }
}

/** The sources that a certificate names. What earlier programs left out is null, and the range that of the name. */
export function sourcesOf({ data, checksums, origin }: Certificate, partition: Partition): readonly Source[] {
  return data.sources.map(({ key, bytes, sha256 }) => {
    const checked = checksums.find((one) => one.key === key)
    const from = origin?.sources.find((one) => one.key === key)
    const file = parseArchiveKey(key) ?? { month: partition.month, day: null }
    return {
      key, bytes, sha256Hex: sha256,
      etag: from?.etag ?? null,
      lastModified: from?.lastModified ?? null,
      checksum: checksumOutcomeOf(checked?.outcome ?? 'checksum_missing'),
      checksumHex: checked?.claimed ?? null,
      range: from ? { fromUs: from.fromUs, toUs: from.toUs } : rangeOfFile(file),
    }
  })
}
