import type { JobType } from 'bullmq'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Certificate } from '../../src/domain/certificate.js'
import { certificateKeyOf, objectKeyOf } from '../../src/domain/names.js'
import { partitionKeyOf, type Partition } from '../../src/domain/partition.js'
import type { PartitionSummary } from '../../src/domain/ports/keeper-catalog.js'
import type { State } from '../../src/domain/states.js'
import type { StageJobData } from '../../src/jobs/stage-job.js'
import { STAGES } from '../../src/jobs/stages.js'
import { CANARY, type Rig } from './rig.js'
import type { Line } from './worker-child.js'
import type { Reference } from './reference.js'
import { settle } from './settle.js'

export type Expected = {
  readonly reference: Reference
  /** What was planned; every partition of the sample where it is not given. */
  readonly partitions?: readonly Partition[]
  /** Those whose source was published anew. */
  readonly republished?: readonly Partition[]
  /** Those that must end otherwise than verified, and their code. */
  readonly ends?: ReadonlyMap<string, { readonly state: State; readonly code: string }>
}

/**
 * What must hold whatever went wrong, as sentences that say where it does not: everything verified, one object and one
 * row a partition with the bytes of an undisturbed run, nothing left behind, no attempt spent, no secret told.
 */
export async function violations(rig: Rig, expected: Expected): Promise<string[]> {
  const found = await settle(rig)
  const partitions = expected.partitions ?? rig.sample.partitions
  found.push(...await rowViolations(rig, partitions, expected))
  found.push(...await queueViolations(rig, expected))
  found.push(...outcomeViolations(rig, expected))
  found.push(...secretViolations(rig))
  return found
}

async function rowViolations(rig: Rig, partitions: readonly Partition[], expected: Expected): Promise<string[]> {
  const found: string[] = []
  const rows = new Map<string, PartitionSummary>()
  for await (const row of (await rig.app.keeper()).partitions({})) rows.set(partitionKeyOf(row.partition), row)
  const wanted = new Set(partitions.map(partitionKeyOf))
  for (const key of rows.keys()) if (!wanted.has(key)) found.push(`${key} has a row and was not planned`)
  for (const p of partitions) {
    const key = partitionKeyOf(p)
    const row = rows.get(key)
    const end = expected.ends?.get(key)
    if (!row) found.push(`${key} has no row`)
    else if (end) found.push(...endViolations(key, row, end))
    else found.push(...await objectViolations(rig, row, expected))
  }
  return found
}

function endViolations(key: string, row: PartitionSummary, end: { state: State; code: string }): string[] {
  if (row.state === end.state && row.code === end.code) return []
  return [`${key} is ${row.state} (${row.code}), not ${end.state} (${end.code})`]
}

async function objectViolations(rig: Rig, row: PartitionSummary, expected: Expected): Promise<string[]> {
  const { partition, published, certificate } = row
  const key = partitionKeyOf(partition)
  if (row.state !== 'verified' || !published) return [`${key} is ${row.state} (${row.code}: ${row.message})`]
  const isNew = expected.republished?.some((p) => partitionKeyOf(p) === key) ?? false
  const reference = expected.reference.of(partition, isNew ? 2 : 1)
  const object = createHash('sha256').update(await readFile(join(rig.lakeDir, objectKeyOf(partition)))).digest('hex')
  const beside = JSON.parse(await readFile(join(rig.lakeDir, certificateKeyOf(partition)), 'utf8')) as Certificate
  const differing = [
    ['the object', object, reference.sha256Hex],
    ["the catalog's hash", published.sha256Hex, reference.sha256Hex],
    ["the catalog's rows", published.rows, reference.rows],
    ['the hash in the certificate beside it', beside.data.dataSha256, reference.sha256Hex],
    ['the dataHash beside it', beside.dataHash, reference.dataHash],
    ["the catalog's dataHash", certificate?.dataHash, reference.dataHash],
  ].filter(([, is, should]) => is !== should)
  const short = (value: unknown): string => String(value).slice(0, 12)
  return differing.map(([what, is, should]) => `${key}: ${what} is ${short(is)}, not ${short(should)}`)
}

const KINDS: JobType[] = ['completed', 'failed', 'wait', 'active', 'delayed', 'prioritized']

/** A job that failed, or that needed more than one attempt, spent one: a delay, a crash and a hand-back spend none. */
async function queueViolations(rig: Rig, expected: Expected): Promise<string[]> {
  const found: string[] = []
  for (const stage of STAGES) {
    for (const job of await rig.queues.queue(stage).getJobs(KINDS)) {
      const text = JSON.stringify(job.asJSON())
      if (text.includes(CANARY)) found.push(`job ${job.id} holds a secret`)
      if (expected.ends?.has((job.data as StageJobData).p)) continue
      const state = await job.getState()
      if (state !== 'completed') found.push(`job ${job.id} is ${state}: ${job.failedReason}`)
      if (job.attemptsMade > 1) found.push(`job ${job.id} made ${job.attemptsMade} attempts`)
    }
  }
  return found
}

const SPENT = new Set(['retry', 'failed', 'quarantined'])

function outcomeViolations(rig: Rig, expected: Expected): string[] {
  const spent = ({ event, outcome = '', code, partition }: Line): boolean =>
    event === 'job' && SPENT.has(outcome) && typeof code === 'string' && !expected.ends?.has(String(partition))
  return rig.workers.flatMap((worker) => worker.lines.filter(spent)).map(({ stage, partition, outcome, code }) =>
    `${stage} of ${String(partition)} spent an attempt: ${outcome} ${String(code)}`)
}

function secretViolations(rig: Rig): string[] {
  const telling = rig.workers.filter(({ text }) => text.includes(CANARY)).map(({ pid }) => `worker ${pid} told secrets`)
  return rig.log.some((line) => line.includes(CANARY)) ? [...telling, 'this process logged a secret'] : telling
}
