import { createHash } from 'node:crypto'
import { asPipelineError, policyOf } from '../domain/errors.js'
import { objectKeyOf } from '../domain/names.js'
import { partitionKeyOf } from '../domain/partition.js'
import { wantedAgain } from '../domain/plan.js'
import type { PartitionSummary, KeeperCatalog } from '../domain/ports/keeper-catalog.js'
import type { JobQueue } from '../domain/ports/job-queue.js'
import type { ObjectInfo, ObjectStore } from '../domain/ports/object-store.js'
import type { PlanCatalog } from '../domain/ports/plan-catalog.js'
import { FINISHED, type State } from '../domain/states.js'
import { certificateDrift, rewriteCertificate } from './certificate-beside.js'
import { plan } from './plan.js'
import { rowNow } from './published-row.js'
import type { Ports } from './stage.js'

export type RepairPorts = Pick<Ports, 'lake' | 'log'> & {
  readonly keeper: KeeperCatalog
  readonly plan: PlanCatalog
  readonly queue: JobQueue
}

/**
 * `noted`: the bytes are right and only the ETag was not. `restarted`: other bytes, or none; the partition is done
 * again. `certificates`: the data is right, and the certificate beside it was written anew from the catalog's.
 * `missed`: not compared, since the store did not answer. An object whose source was refused since cannot be made
 * again: that is only logged.
 */
export type Repaired = {
  readonly noted: number
  readonly restarted: number
  readonly certificates: number
  readonly missed: number
}

/**
 * Compares published objects with what the catalog says of them, by ETag and where that differs by hash. A worker that
 * lost its database in mid-publication can leave such a difference; so can a hand in the bucket. `changedSince` narrows
 * it to rows that changed lately; null compares them all. An object that cannot be compared now is logged.
 */
export async function repairPublished(ports: RepairPorts, changedSince: Date | null): Promise<Repaired> {
  const drifted: PartitionSummary[] = []
  const counts = { noted: 0, certificates: 0, missed: 0 }
  const recent = changedSince === null ? {} : { changedSince }
  const rows = ports.keeper.partitions({ states: FINISHED, published: true, ...recent })[Symbol.asyncIterator]()
  const look = async (row: PartitionSummary): Promise<void> => {
    const verdict = await mended(row, ports, counts).catch((thrown: unknown) => {
      const { code, message } = asPipelineError(thrown)
      if (policyOf(code).infrastructure) counts.missed++
      ports.log.warn('published.not_compared', { partition: partitionKeyOf(row.partition), code, message })
    })
    if (verdict === 'drifted' && REMADE.includes(row.state)) drifted.push(row)
    else if (verdict === 'drifted') {
      ports.log.warn('published.lost', { partition: partitionKeyOf(row.partition), state: row.state })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let next = await rows.next(); !next.done; next = await rows.next()) await look(next.value)
  }))
  return { ...counts, restarted: drifted.length === 0 ? 0 : await restart(drifted, ports) }
}

/** Rows compared together: each waits for two answers of the store, and does nothing else. */
const AT_ONCE = 8

/** From any other end a new try comes to the same end, and every pass would start it again. */
const REMADE: readonly State[] = ['verified', 'provisional']

/** Notes a changed ETag, writes a certificate anew; what it cannot mend has drifted, unless it was published since. */
async function mended(
  row: PartitionSummary, ports: RepairPorts, counts: { noted: number; certificates: number },
): Promise<'drifted' | null> {
  const verdict = await compare(row, ports)
  if (verdict === 'drifted') return (await isStill(row, ports)) ? verdict : null
  if (verdict === 'noted') counts.noted++
  if (await certificateMended(row, ports)) counts.certificates++
  return null
}

/** A publication under way replaces object and certificate before the catalog has them: its row has left its end. */
async function isStill({ partition, generation }: PartitionSummary, ports: RepairPorts): Promise<boolean> {
  const now = await rowNow(partition, ports.keeper)
  return now?.generation === generation && FINISHED.includes(now.state)
}

async function certificateMended(row: PartitionSummary, ports: RepairPorts): Promise<boolean> {
  const { partition, certificate } = row
  const seen = certificate && (await certificateDrift(partition, certificate, ports.lake))
  if (!seen || !(await isStill(row, ports))) return false
  await rewriteCertificate({ partition, certificate, seen }, ports.lake)
  ports.log.warn('published.certificate_rewritten', { partition: partitionKeyOf(partition), was: seen.drift })
  return true
}

async function compare({ partition, published }: PartitionSummary, ports: RepairPorts): Promise<'same' | 'noted' | 'drifted'> {
  const key = objectKeyOf(partition)
  const object = await ports.lake.head(key)
  if (!published || !object) return 'drifted'
  if (object.etag === published.etag) return 'same'
  if ((await digestOf(object, ports.lake)) !== published.sha256Hex) return 'drifted'
  await ports.keeper.repairPublished({ partition, published: { ...published, etag: object.etag } })
  return 'noted'
}

/** Null for bytes that are not even those of the digest that the store keeps beside them. */
async function digestOf({ key, etag }: ObjectInfo, lake: ObjectStore): Promise<string | null> {
  const hash = createHash('sha256')
  try {
    for await (const piece of await lake.get({ key, ifMatch: etag })) hash.update(piece as Buffer)
  } catch (thrown) {
    if (asPipelineError(thrown).code === 'OBJECT_CORRUPT') return null
    throw thrown
  }
  return hash.digest('hex')
}

async function restart(drifted: readonly PartitionSummary[], ports: RepairPorts): Promise<number> {
  for (const { partition } of drifted) ports.log.warn('published.drifted', { partition: partitionKeyOf(partition) })
  const partitions = drifted.map((row) => row.partition)
  const rows = await ports.plan.rowsOf(partitions)
  const run = await ports.plan.createRun({ kind: 'retry', request: { why: 'published objects differ from the catalog' } })
  const wanted = partitions.map((partition) => wantedAgain(partition, rows.get(partitionKeyOf(partition))))
  return (await plan(wanted, ports, { run, force: true })).todo
}
