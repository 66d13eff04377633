import { z } from 'zod'
import { PipelineError } from '../domain/errors.js'
import { parsePartitionKey, partitionKeyOf, type Partition } from '../domain/partition.js'
import type { RunKind } from '../domain/ports/plan-catalog.js'
import type { JobStage } from '../domain/states.js'

/**
 * The version of payload that this program writes. It runs every version up to this one; a job of a newer version is
 * left for a newer program. Raised when a payload says something that an older program would get wrong.
 */
export const JOB_VERSION = 1

/**
 * The payload of every stage's job, since version 1: which partition, which generation of its work. Names are one
 * letter because a million of them wait in Redis; all else is in the catalog. Up to 64 bytes of JSON Redis keeps the
 * whole job in one compact block: 520 bytes a waiting job, else 930.
 */
const schema = z.strictObject({
  v: z.int().min(1).max(JOB_VERSION),
  /** The partition, `spot-klines/BTCUSDT/1h/2024-01`. */
  p: z.string().max(200),
  /** The generation. */
  g: z.int().positive(),
  /** The first letter of the kind of run that asked: it fixes the priority of the jobs that follow. */
  k: z.enum(['b', 'i', 'r']),
})

/** Long enough that workers who cannot run it do not pass it to and fro, short enough for those who can. */
const NEWER_WAITS_MS = 10_000

export type StageJobData = z.infer<typeof schema>

const KIND_OF = { b: 'backfill', i: 'incremental', r: 'retry' } as const satisfies Record<StageJobData['k'], RunKind>
const LETTER_OF = { backfill: 'b', incremental: 'i', retry: 'r' } as const satisfies Record<RunKind, StageJobData['k']>

/** A job's contract: what it asks for, the same for every stage. */
export type StageJob = { readonly partition: Partition; readonly generation: number; readonly kind: RunKind }

export const encodeStageJob = (job: StageJob): StageJobData => ({
  v: JOB_VERSION,
  p: partitionKeyOf(job.partition),
  g: job.generation,
  k: LETTER_OF[job.kind],
})

/** @throws {JOB_NEWER} for a payload of a newer program @throws {BAD_JOB} for any other that is not understood */
export function decodeStageJob(data: unknown): StageJob {
  const version = typeof data === 'object' && data !== null && 'v' in data ? data.v : null
  if (Number.isInteger(version) && Number(version) > JOB_VERSION) {
    const message = `the job's payload is of version ${String(version)}, this program knows up to ${JOB_VERSION}`
    throw new PipelineError('JOB_NEWER', message, {
      job: Number(version), program: JOB_VERSION, retryAfterMs: NEWER_WAITS_MS, do: 'update candlelake on this host',
    })
  }
  const parsed = schema.safeParse(data)
  if (!parsed.success) {
    const fields = parsed.error.issues.map((issue) => issue.path.join('.')).join(', ')
    const message = `the job's payload is not of version ${JOB_VERSION} (${fields})`
    throw new PipelineError('BAD_JOB', message, { do: 'remove the job' })
  }
  return { partition: parsePartitionKey(parsed.data.p), generation: parsed.data.g, kind: KIND_OF[parsed.data.k] }
}

/**
 * The id of a job: the same work gets the same id, work decided anew gets a new one. No ":" in it, which BullMQ keeps
 * for itself; symbols hold none.
 */
export const jobIdOf = (stage: JobStage, p: Partition, generation: number): string =>
  [stage, p.dataset, p.symbol, p.interval, p.month, `g${generation}`].join('__')
