import { writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { CANDLE_COLUMNS } from '../domain/candle.js'
import type { Certificate } from '../domain/certificate.js'
import { certify } from '../domain/certify.js'
import { diskFailure } from '../domain/disk-failure.js'
import { errnoOf } from '../domain/errno.js'
import { PipelineError } from '../domain/errors.js'
import type { ConvertFigures, InspectFigures } from '../domain/figures.js'
import { verdictOf } from '../domain/findings.js'
import { certificateKeyOf, objectKeyOf, revisionKeyOf, revisionsPrefixOf, stagingFolderOf } from '../domain/names.js'
import { partitionKeyOf } from '../domain/partition.js'
import type { Condition, ObjectInfo } from '../domain/ports/object-store.js'
import type { Claim, Verified } from '../domain/ports/stage-catalog.js'
import type { Converted, Published, Uploaded } from '../domain/work.js'
import { certificateText } from './certificate-beside.js'
import { quarantineSources } from './quarantine-sources.js'
import type { Ports, StageResult } from './stage.js'

/** What the lake shows for a partition; null where there is nothing. */
type Shown = { readonly data: ObjectInfo | null; readonly certificate: ObjectInfo | null }

type Material = {
  readonly converted: Converted
  readonly uploaded: Uploaded
  readonly scratch: string
  /** Seen before the row is locked, and all that publication may replace. */
  readonly shown: Shown
  /** The bytes were moved in by an execution that died before its commit. */
  readonly isIn: boolean
}

/**
 * Reads the incoming object back with two readers, compares it with what convert measured, issues the certificate, and
 * publishes while the runner holds the row's lock. Found again after a crash, a published object is recognised by its
 * hash: the incoming one is gone then, and there is nothing left to move.
 *
 * A process that is stopped while it publishes loses the row's lock when the database ends its session, and goes on
 * later. So nothing is replaced but what was seen before the row was locked: whatever a newer execution put there since
 * has another ETag.
 */
export async function verify(c: Claim, ports: Ports, signal: AbortSignal): Promise<StageResult> {
  const scratch = await ports.staging.scratch(stagingFolderOf(c.partition, c.generation, c.token))
  const work = materialOf(c)
  const data = await ports.lake.head(objectKeyOf(c.partition))
  const shown = { data, certificate: await ports.lake.head(certificateKeyOf(c.partition)) }
  const material = { ...work, scratch, shown, isIn: (await ports.lake.head(work.uploaded.key)) === null }
  const path = await materialise(c, material, ports)
  const { numericType } = ports.settings.parquet
  const inspected = await ports.engine.inspect({ partition: c.partition, path, numericType }, signal)
  ports.pass('verify.inspected', partitionKeyOf(c.partition))
  compare(material.converted.figures, inspected, c)
  const certificate = certificateOf(c, material, inspected, ports)
  const figures = { bytesIn: inspected.bytes, bytesOut: inspected.bytes, rows: inspected.rows }
  if (verdictOf(certificate.findings) === 'quarantine') return { ...(await quarantined(c, certificate, ports)), ...figures }
  const written = await writeCertificate(c, certificate, scratch)
  const effect = (before: Published | null): Promise<Verified> => publish(c, material, written, before, ports)
  return { kind: 'publish', effect, ...figures }
}

function materialOf(c: Claim): Pick<Material, 'converted' | 'uploaded'> {
  const { converted, uploaded } = c.work
  if (converted && uploaded) return { converted, uploaded }
  throw new PipelineError('STAGING_LOST', 'the catalog names no uploaded object', { at: partitionKeyOf(c.partition) })
}

/**
 * A local file with the bytes to verify: the incoming object, or the published one when an execution died after moving
 * it.
 */
async function materialise(c: Claim, { uploaded, scratch, shown, isIn }: Material, ports: Ports): Promise<string> {
  if (!isIn) return await ports.lake.materialise({ key: uploaded.key, scratch })
  if (!shown.data) throw lost(c)
  return await ports.lake.materialise({ key: shown.data.key, scratch })
}

const lost = (c: Claim): PipelineError =>
  new PipelineError('STAGING_LOST', 'the incoming object is gone', { at: partitionKeyOf(c.partition) })

/**
 * @throws {STAGING_LOST} for other bytes than were uploaded @throws {VERIFY_MISMATCH} when a reader sees other values
 */
function compare(was: ConvertFigures, is: InspectFigures, c: Claim): void {
  if (is.sha256Hex !== was.sha256Hex) throw lost(c)
  const names = is.footer.columns.map((column) => column.name).join()
  const differing = [
    ['rows', was.rows, is.rows],
    ['rows in the footer', was.rows, is.footer.rows],
    ['logical hash', was.logicalHash, is.logicalHash],
    ['first open_time', was.firstOpenUs, is.firstOpenUs],
    ['last open_time', was.lastOpenUs, is.lastOpenUs],
    ['smallest open_time in the footer', was.firstOpenUs, is.footer.minOpenUs],
    ['largest open_time in the footer', was.lastOpenUs, is.footer.maxOpenUs],
    ['order', true, is.ordered],
    ['columns', CANDLE_COLUMNS.map((column) => column.name).join(), names],
    ['revision in the footer', c.work.converted?.revision, is.footer.metadata['candlelake.revision']],
  ].find(([, wanted, found]) => wanted !== found)
  if (!differing) return
  const [what, wanted, found] = differing.map(String)
  throw new PipelineError('VERIFY_MISMATCH', `${what}: convert recorded ${wanted}, the object has ${found}`, {
    at: partitionKeyOf(c.partition), what: what ?? null, wanted: wanted ?? null, found: found ?? null,
  })
}

function certificateOf(c: Claim, { converted }: Material, inspected: InspectFigures, ports: Ports): Certificate {
  return certify({
    partition: c.partition,
    generation: c.generation,
    numericType: ports.settings.parquet.numericType,
    sources: c.work.downloaded?.sources ?? [],
    bounds: c.work.bounds,
    converted,
    inspected,
    lateDays: ports.settings.lateDays,
    now: ports.now(),
  })
}

async function quarantined(c: Claim, certificate: Certificate, ports: Ports): Promise<Pick<StageResult & { kind: 'end' }, 'kind' | 'ended'>> {
  const kept = await quarantineSources(c, ports)
  const { findings } = certificate
  const message = `the bars contradict each other: ${findings.map((finding) => finding.code).join(', ')}`
  return { kind: 'end', ended: { state: 'quarantined', code: 'CORRUPT', message, facts: {}, findings, kept } }
}

type WrittenCertificate = { readonly certificate: Certificate; readonly path: string; readonly sha256Hex: string }

/** Before the row is locked: a full disk is found out while nothing is published. */
async function writeCertificate(c: Claim, certificate: Certificate, scratch: string): Promise<WrittenCertificate> {
  const text = certificateText(certificate)
  const path = `${scratch}/certificate.json`
  try {
    await writeFile(path, text)
  } catch (thrown) {
    const isSwept = errnoOf(thrown) === 'ENOENT'
    throw isSwept ? lost(c) : (diskFailure(thrown, path) ?? thrown)
  }
  return { certificate, path, sha256Hex: createHash('sha256').update(text).digest('hex') }
}

/** Runs under the row's lock: keep the replaced revision, move the object in, write the certificate beside it. */
async function publish(
  c: Claim, material: Material, written: WrittenCertificate, before: Published | null, ports: Ports,
): Promise<Verified> {
  const partition = partitionKeyOf(c.partition)
  ports.pass('verify.locked', partition)
  await keepReplaced(c, material, before, ports)
  ports.pass('verify.kept', partition)
  const info = await moveIn(c, material, ports)
  ports.pass('verify.published', partition)
  const { certificate, path, sha256Hex } = written
  const condition = replacing(material.shown.certificate)
  await ports.lake.put({ key: certificateKeyOf(c.partition), path, sha256Hex, condition })
  ports.pass('verify.certified', partition)
  const { revision, figures } = material.converted
  const { bytes, etag, key } = info
  const published = { key, etag, bytes, sha256Hex: figures.sha256Hex, rows: figures.rows, revision }
  return { state: certificate.verdict, published, certificate }
}

const replacing = (shown: ObjectInfo | null): Condition => (shown ? { ifMatch: shown.etag } : { ifNoneMatch: '*' })

async function keepReplaced(
  c: Claim, { converted, shown: { data } }: Material, before: Published | null, ports: Ports,
): Promise<void> {
  if (ports.settings.keepRevisions === 0 || !before || !data || before.revision === converted.revision) return
  if (data.etag !== before.etag) return // not what the catalog knows as that revision: nothing to keep under its name
  await stillShown(c, data, ports)
  await ports.lake.copy({ from: data.key, to: revisionKeyOf(c.partition, before.revision) })
  await dropOldRevisions(c, ports)
}

/** Leaves the newest `keepRevisions` of the replaced revisions. */
async function dropOldRevisions(c: Claim, ports: Ports): Promise<void> {
  const kept: ObjectInfo[] = []
  for await (const object of ports.lake.list(revisionsPrefixOf(c.partition))) kept.push(object)
  kept.sort((a, b) => b.lastModified.getTime() - a.lastModified.getTime())
  for (const { key } of kept.slice(ports.settings.keepRevisions)) await ports.lake.delete(key)
}

/** Moves the incoming object over exactly the object that was seen before the lock. */
async function moveIn(c: Claim, { uploaded, shown, isIn }: Material, ports: Ports): Promise<ObjectInfo> {
  if (isIn) return await stillShown(c, shown.data, ports)
  if (!(await ports.lake.head(uploaded.key))) throw lost(c)
  return await ports.lake.move({ from: uploaded.key, to: objectKeyOf(c.partition), condition: replacing(shown.data) })
}

async function stillShown(c: Claim, seen: ObjectInfo | null, ports: Ports): Promise<ObjectInfo> {
  const now = await ports.lake.head(objectKeyOf(c.partition))
  if (now && now.etag === seen?.etag) return now
  const at = partitionKeyOf(c.partition)
  throw new PipelineError('PRECONDITION_FAILED', 'another object has been published meanwhile', { at })
}
