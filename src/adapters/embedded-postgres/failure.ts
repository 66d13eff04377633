import { PipelineError } from '../../domain/errors.js'

const NO_SPACE = /No space left on device|Disk quota exceeded|ENOSPC|EDQUOT/

export type FailureDetails = {
  readonly at: string
  readonly output?: string
  readonly do?: string
  readonly cause?: unknown
}

/** `DISK_FULL` when the output or the cause says so, else `EMBEDDED_FAILED`; the fact `log` holds the output's end. */
export function embeddedFailure(what: string, o: FailureDetails): PipelineError {
  const log = lastLines(o.output ?? '', 12)
  const reason = log === '' ? reasonOf(o.cause) : `: ${lastTelling(log)}`
  const full = NO_SPACE.test(log) || NO_SPACE.test(reasonOf(o.cause))
  const step = full ? 'free space on that disk, then run the command again' : o.do
  const facts = { at: o.at, ...(log === '' ? {} : { log }), ...(step === undefined ? {} : { do: step }) }
  return full
    ? new PipelineError('DISK_FULL', `${what}: the disk is full`, facts, o.cause)
    : new PipelineError('EMBEDDED_FAILED', `${what}${reason}`, facts, o.cause)
}

/** What `work` gives; whatever it throws becomes a `PipelineError` that names `at`. */
export async function coded<T>(at: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (e) {
    if (e instanceof PipelineError) throw e
    throw embeddedFailure('the embedded database failed', { at, cause: e })
  }
}

export const lastLines = (text: string, count: number): string => text.trim().split('\n').slice(-count).join('\n')

/** The last line that says FATAL, PANIC or error; hints follow it and restarts precede it. */
function lastTelling(log: string): string {
  const lines = log.split('\n')
  const telling = lines.findLast((l) => /FATAL|PANIC|ERROR|error:|could not/.test(l)) ?? lines.at(-1) ?? ''
  return telling.trim()
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? `: ${cause.message}` : '')
