import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import type { Certificate } from '../domain/certificate.js'
import { PipelineError } from '../domain/errors.js'
import { canonicalJson, fromJson, toJson } from '../domain/json.js'
import { certificateKeyOf, type ObjectKey } from '../domain/names.js'
import type { Partition } from '../domain/partition.js'
import type { ObjectStore } from '../domain/ports/object-store.js'
import { withScratch } from './scratch.js'

/** What the object `certificate.json` holds. */
export const certificateText = (certificate: Certificate): string => `${toJson(certificate, 2)}\n`

/** How the certificate beside the data is not the catalog's; `etag` is null where there is none. */
export type CertificateDrift = { readonly drift: string; readonly etag: string | null }

/**
 * Compares values, not text: jsonb keeps no order of names. Null when they are the same. @throws {STORE_UNREACHABLE}
 */
export async function certificateDrift(
  partition: Partition, certificate: Certificate | null, lake: ObjectStore,
): Promise<CertificateDrift | null> {
  const key = certificateKeyOf(partition)
  // Nearly all are the same, which one request shows; only to replace it the ETag is needed.
  const first = await textOf(lake, key)
  if (first !== null && isSame(parsed(first), certificate)) return null
  const object = await lake.head(key)
  if (!object) return { drift: 'certificate.json is missing', etag: null }
  const { etag } = object
  const is = parsed((await textOf(lake, key, etag)) ?? '')
  if (is === undefined) return { drift: 'certificate.json cannot be parsed', etag }
  return isSame(is, certificate) ? null : { drift: "certificate.json is not the catalog's certificate", etag }
}

const isSame = (is: unknown, certificate: Certificate | null): boolean =>
  is !== undefined && canonicalJson(is) === canonicalJson(certificate)

/** Null where there is no object; empty, which cannot be parsed, where its bytes are not those that were stored. */
async function textOf(lake: ObjectStore, key: ObjectKey, etag?: string): Promise<string | null> {
  const pieces: Buffer[] = []
  try {
    const body = await lake.get({ key, ...(etag === undefined ? {} : { ifMatch: etag }) })
    for await (const piece of body) pieces.push(piece as Buffer)
  } catch (thrown) {
    if (thrown instanceof PipelineError && thrown.code === 'OBJECT_ABSENT') return null
    if (thrown instanceof PipelineError && thrown.code === 'OBJECT_CORRUPT') return ''
    throw thrown
  }
  return Buffer.concat(pieces).toString('utf8')
}

function parsed(text: string): unknown {
  try {
    return fromJson(text)
  } catch {
    return undefined
  }
}

/**
 * Writes the catalog's certificate over exactly what was seen. @throws {PRECONDITION_FAILED, DISK_FULL,
 * STORE_UNREACHABLE}
 */
export async function rewriteCertificate(
  o: { partition: Partition; certificate: Certificate; seen: CertificateDrift }, lake: ObjectStore,
): Promise<void> {
  const text = certificateText(o.certificate)
  const condition = o.seen.etag === null ? ({ ifNoneMatch: '*' } as const) : { ifMatch: o.seen.etag }
  await withScratch(async (scratch) => {
    const path = `${scratch}/certificate.json`
    await writeFile(path, text)
    const sha256Hex = createHash('sha256').update(text).digest('hex')
    await lake.put({ key: certificateKeyOf(o.partition), path, sha256Hex, condition })
  })
}
