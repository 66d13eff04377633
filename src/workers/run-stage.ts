import { NEXT } from '../jobs/stages.js'
import { asPipelineError, policyOf, type ErrorCode, type PipelineError } from '../domain/errors.js'
import { decisionOf, type Finding } from '../domain/findings.js'
import { partitionKeyOf } from '../domain/partition.js'
import type { Certificate } from '../domain/certificate.js'
import type { JobOutcome } from '../domain/ports/observe.js'
import type { Claim, Ended, Verified } from '../domain/ports/stage-catalog.js'
import type { State } from '../domain/states.js'
import type { Published } from '../domain/work.js'
import { convert } from './convert.js'
import { download } from './download.js'
import { keepLease } from './lease.js'
import { forgetQuarantined, quarantineSources } from './quarantine-sources.js'
import type { Directive, Handlers, PartitionJob, Ports, StageResult, StartedJob } from './stage.js'
import { leaveExecution, sweepExecution } from './sweep.js'
import { upload } from './upload.js'
import { verify } from './verify.js'

/** The compiler completes this table: a stage without a handler does not build. */
export const HANDLERS: Handlers = { download, convert, upload, verify }

const DELAY_MIN_MS = 2_000
const DELAY_MAX_MS = 8_000
/** A partition whose staged files vanish more often than this fails: its stages do not share a staging, or a disk is bad. */
const MAX_RESTARTS = 5

/**
 * One job of one stage: claim, effect, fenced commit, enqueue next, return. Knows nothing of BullMQ. Infrastructure
 * errors become a delay, the partition's own errors a retry or an end, both recorded in the catalog.
 */
export async function runStage(job: PartitionJob, ports: Ports, signal: AbortSignal): Promise<Directive> {
  const started = performance.now()
  const seen = { bytesIn: 0, bytesOut: 0, rows: 0 }
  const directive = await attempt(job, ports, signal, seen)
  ports.observe({
    type: 'job',
    stage: job.stage,
    partition: job.partition,
    outcome: outcomeOf(directive),
    code: directive.kind === 'delay' ? directive.code : directive.kind === 'done' ? null : directive.error.code,
    seconds: (performance.now() - started) / 1_000,
    waitSeconds: job.waitSeconds,
    ...seen,
  })
  return directive
}

type Seen = { bytesIn: number; bytesOut: number; rows: number }

async function attempt(job: PartitionJob, ports: Ports, signal: AbortSignal, seen: Seen): Promise<Directive> {
  try {
    const claimed = await claim(job, ports)
    return 'kind' in claimed ? claimed : await work(claimed.claim, job, ports, signal, seen)
  } catch (thrown) {
    // Nothing is held here: the claim failed, or its outcome could not be recorded and the lease will run out.
    return directiveFor(asPipelineError(thrown), job, signal)
  }
}

async function claim(job: PartitionJob, ports: Ports): Promise<Directive | { readonly claim: Claim }> {
  const { stage, partition, generation } = job
  const { leaseMs } = ports.settings
  const result = await ports.catalog.claim({ stage, partition, generation, workerId: ports.workerId, leaseMs })
  switch (result.kind) {
    case 'claimed':
      ports.pass(`${stage}.claimed`, partitionKeyOf(partition))
      return { claim: result.claim }
    case 'held':
      return { kind: 'delay', ms: Math.max(100, result.forMs), code: 'LEASE_HELD' }
    case 'ahead':
      if (result.stage !== null) await ports.queue.enqueue([{ ...job, stage: result.stage }])
      return { kind: 'done', outcome: 'skipped' }
    case 'superseded':
      return { kind: 'done', outcome: 'fenced' }
    case 'ended':
      return await startOver(job, result.attempt, ports)
    case 'poisoned': {
      const message = `${result.crashes} workers died with it, one after the other`
      await ports.catalog.giveUp({ stage, partition, generation, code: 'POISONED', message })
      finished(job, 'failed', ports, [], { code: 'POISONED', message })
      return { kind: 'done', outcome: 'failed' }
    }
  }
}

/** A job of a partition that ended: started again by a person, its attempt is higher than the one that ended it. */
async function startOver(job: PartitionJob, endedAttempt: number, ports: Ports): Promise<Directive> {
  if (job.attempt <= endedAttempt) return { kind: 'done', outcome: 'skipped' }
  const again = await ports.catalog.reopen({ partition: job.partition, generation: job.generation })
  if (again) await ports.queue.enqueue([{ ...job, stage: 'download', generation: again.generation }])
  return { kind: 'done', outcome: again ? 'ok' : 'fenced' }
}

async function work(c: Claim, job: PartitionJob, ports: Ports, signal: AbortSignal, seen: Seen): Promise<Directive> {
  const lease = keepLease(c, ports, signal)
  let result: StageResult
  try {
    result = await HANDLERS[c.stage](c, ports, lease.signal)
  } catch (thrown) {
    if (lease.lost()) return await fenced(c, ports)
    return await recordFailure(c, job, asPipelineError(thrown), ports, signal)
  } finally {
    // A lease past its end is its holder's until someone takes it, and then the token fences the record.
    lease.stop()
  }
  Object.assign(seen, { bytesIn: result.bytesIn, bytesOut: result.bytesOut, rows: result.rows })
  return await record(c, job, result, ports, signal)
}

/**
 * Commits what the effect came to, then hands on. What it throws is thrown on with nothing swept: a commit whose answer
 * was lost may stand, and the files of this execution are then the next stage's. The job starts again, and finds out.
 */
async function record(c: Claim, job: PartitionJob, result: StageResult, ports: Ports, signal: AbortSignal): Promise<Directive> {
  switch (result.kind) {
    case 'advance': {
      if (!(await ports.catalog.commit(c, result.advance))) return await fenced(c, ports)
      const { stage } = result.advance
      ports.pass(`${stage}.committed`, partitionKeyOf(c.partition))
      await ports.queue.enqueue([{ ...job, stage: NEXT[stage] }])
      ports.pass(`${stage}.enqueued`, partitionKeyOf(c.partition))
      await leaveExecution(c, ports)
      return { kind: 'done', outcome: 'ok' }
    }
    case 'publish':
      return await publish(c, job, result.effect, ports, signal)
    case 'end':
      return await end(c, job, { ...result.ended, attempt: job.attempt }, ports)
    case 'restart':
      return await restart(c, job, result.reason, ports)
  }
}

/** An error of the effect itself rolled the transaction back: the claim is still held, and the work failed like any other. */
async function publish(
  c: Claim, job: PartitionJob, effect: (before: Published | null) => Promise<Verified>, ports: Ports, signal: AbortSignal,
): Promise<Directive> {
  let certificate: Certificate | undefined
  let failure: PipelineError | undefined
  const guarded = async (before: Published | null): Promise<Verified> => {
    try {
      const verified = await effect(before)
      certificate = verified.certificate
      return verified
    } catch (thrown) {
      failure = asPipelineError(thrown)
      throw failure
    }
  }
  try {
    if (!(await ports.catalog.publish(c, guarded)) || !certificate) return await fenced(c, ports)
  } catch (thrown) {
    if (failure) return await recordFailure(c, job, failure, ports, signal)
    throw thrown
  }
  const key = partitionKeyOf(c.partition)
  ports.pass('verify.committed', key)
  await sweepExecution(c, ports)
  ports.pass('verify.swept', key)
  await forgetQuarantined(c, ports)
  finished(job, certificate.verdict, ports, certificate.findings, null)
  return { kind: 'done', outcome: 'ok' }
}

async function restart(c: Claim, job: PartitionJob, reason: ErrorCode, ports: Ports): Promise<Directive> {
  const again = await ports.catalog.restart(c, reason)
  if (!again) return await fenced(c, ports)
  await ports.queue.enqueue([{ ...job, stage: 'download', generation: again.generation }])
  return { kind: 'done', outcome: 'retry' }
}

async function recordFailure(
  c: Claim, job: PartitionJob, error: PipelineError, ports: Ports, signal: AbortSignal,
): Promise<Directive> {
  const restarts = c.work.restarts ?? 0
  if (error.code === 'STAGING_LOST' && restarts < MAX_RESTARTS) return await restart(c, job, error.code, ports)
  const directive = directiveFor(error, job, signal)
  if (directive.kind !== 'fail') {
    ports.log.warn('stage.waits', { stage: c.stage, partition: partitionKeyOf(c.partition), code: error.code, why: error.message })
    await sweepExecution(c, ports, 'own files only')
    const held = await ports.catalog.release(c, { code: error.code, message: error.message })
    return held ? directive : await fenced(c, ports)
  }
  const { end: state } = policyOf(error.code)
  const kept = state === 'quarantined' ? await quarantineSources(c, ports) : null
  const ended = { state, code: error.code, message: error.message, facts: error.facts, findings: findingsOf(error), kept }
  const done = await end(c, job, { ...ended, attempt: job.attempt }, ports)
  return done.kind === 'done' && done.outcome === 'fenced' ? done : directive
}

/** What the queue is told about an error: the table in `domain/errors.ts`, the attempts left, and who is to blame. */
export function directiveFor(error: PipelineError, job: StartedJob, signal: AbortSignal): Directive {
  if (signal.aborted) return { kind: 'delay', ms: 0, code: 'INTERRUPTED' }
  const { retry, ...policy } = policyOf(error.code)
  if ('infrastructure' in policy) return { kind: 'delay', ms: error.retryAfterMs ?? delayMs(), code: error.code }
  const last = retry === 'never' || job.lastAttempt || (retry === 'once' && job.attempt >= 1)
  return last ? { kind: 'fail', error } : { kind: 'retry', error }
}

/**
 * Some seconds, at random, so that jobs do not return at once. No longer for a job that waited long: it tells how long the
 * queue is, not how long the service has been away.
 */
const delayMs = (): number => Math.round(DELAY_MIN_MS + Math.random() * (DELAY_MAX_MS - DELAY_MIN_MS))

async function end(c: Claim, job: PartitionJob, ended: Ended, ports: Ports): Promise<Directive> {
  if (!(await ports.catalog.end(c, ended))) return await fenced(c, ports)
  await sweepExecution(c, ports)
  finished(job, ended.state, ports, ended.findings ?? [], ended)
  const outcome: JobOutcome = ended.state === 'failed' || ended.state === 'quarantined' ? ended.state : 'ok'
  return { kind: 'done', outcome }
}

async function fenced(c: Claim, ports: Ports): Promise<Directive> {
  ports.log.warn('stage.fenced', { stage: c.stage, partition: partitionKeyOf(c.partition), generation: c.generation })
  await sweepExecution(c, ports, 'own files only')
  return { kind: 'done', outcome: 'fenced' }
}

function finished(
  job: PartitionJob, state: State, ports: Ports, findings: readonly Finding[],
  why: Pick<Ended, 'code' | 'message'> | null,
): void {
  const { partition } = job
  ports.observe({ type: 'finished', partition, state, findings, code: why?.code ?? null, message: why?.message ?? null })
  const flagged = findings.filter((finding) => decisionOf(finding.code) !== 'accept').map((finding) => finding.code)
  ports.log.info('partition.finished', { partition: partitionKeyOf(partition), state, flagged, code: why?.code })
}

function findingsOf(error: PipelineError): readonly Finding[] {
  const code = error.facts['finding']
  const example = error.facts['example']
  if (typeof code !== 'string') return []
  return [{ code: code as Finding['code'], count: 1, example: typeof example === 'string' ? example : null }]
}

export function outcomeOf(directive: Directive): JobOutcome {
  switch (directive.kind) {
    case 'done': return directive.outcome
    case 'delay': return 'delayed'
    case 'retry': return 'retry'
    case 'fail': return policyOf(directive.error.code).end
  }
}

