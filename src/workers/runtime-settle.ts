import { DelayedError, UnrecoverableError, WaitingError } from 'bullmq'
import { policyOf, type PipelineError } from '../domain/errors.js'
import type { BullJob, StageWorker } from '../queues/stage-worker.js'
import type { Directive } from './stage.js'

/** BullMQ's codes for a job that is gone, has no lock, is not active, or has somebody else's lock. */
const NOT_OURS = new Set([-1, -2, -3, -6])

/** A job in a worker's hands, as BullMQ knows it. */
export type Held = { readonly worker: StageWorker; readonly job: BullJob; readonly token: string }

/**
 * Tells the queue what becomes of a job: returns for a completed one and throws what BullMQ takes for the other ends.
 * Delays spend no attempt; whether a retry is the last one's end is BullMQ's to decide from `attempts`.
 */
export async function settle(held: Held, directive: Directive): Promise<void> {
  switch (directive.kind) {
    case 'done': return
    case 'delay': return delay(held, directive.ms)
    case 'retry': throw failure(new RetriedError(textOf(directive.error)), directive.error)
    case 'fail': throw failure(new UnrecoverableError(textOf(directive.error)), directive.error)
  }
}

/** Leaves the job for `ms` milliseconds, without spending an attempt. */
export async function delay(held: Held, ms: number): Promise<never> {
  await ifOurs(() => held.worker.persist(() => held.job.moveToDelayed(Date.now() + ms, held.token)))
  throw new DelayedError()
}

/** Puts the job where the next free worker takes it at once, without spending an attempt. */
export async function handBack(held: Held): Promise<never> {
  await ifOurs(() => held.worker.persist(() => held.job.moveToWait(held.token)))
  throw new WaitingError()
}

/** Lets go of a job that is not ours any more: nothing is written. */
export function letGo(): never {
  throw new WaitingError()
}

async function ifOurs(move: () => Promise<unknown>): Promise<void> {
  try {
    await move()
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && NOT_OURS.has(Number(thrown.code))) return
    throw thrown
  }
}

/** The worker's backoff honours `retryAfterMs`. */
class RetriedError extends Error {
  retryAfterMs: number | null = null
}

function failure<E extends Error>(shown: E, error: PipelineError): E {
  shown.stack = `${shown.message}\n${(error.stack ?? '').split('\n').slice(1).join('\n')}`
  if (shown instanceof RetriedError) shown.retryAfterMs = error.retryAfterMs
  return shown
}

/** What a dashboard shows as the reason: the code first, then what and where. */
const textOf = (error: PipelineError): string => `${error.code}: ${error.message}${error.at ? ` (${error.at})` : ''}`

/** What an error that a runner did not turn into a directive comes to. */
export const directiveOf = (error: PipelineError): Directive =>
  policyOf(error.code).infrastructure === true
    ? { kind: 'delay', ms: error.retryAfterMs ?? 5_000, code: error.code }
    : { kind: policyOf(error.code).retry === 'never' ? 'fail' : 'retry', error }
